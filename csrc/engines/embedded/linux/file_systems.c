/* Determines what fills the absent pages of a mapping; see file_systems.h.
 *
 * The map shows the device of a mapped file, and /proc/PID/mountinfo shows which file system that
 * device has, among those mounted where the process sees them. A mapping keeps its file system in
 * use, so a device keeps its meaning as long as the process is suspended. For a running process
 * only the devices count that never change.
 */
#define _GNU_SOURCE 1
#include "file_systems.h"

#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/sysmacros.h>
#include <sys/vfs.h>
#include <unistd.h>

#include "process.h"

#ifndef MFD_CLOEXEC
#define MFD_CLOEXEC 1u
#endif
#define TMPFS_MAGIC 0x01021994 /* include/uapi/linux/magic.h */

#define LINE_AT_MOST                                                                               \
    16384 /* longer than a path, escaped, and the names of a file system's options */

/* The types of file systems, as mountinfo names them, that need nobody else. fuseblk is not among
 * them, nor is overlay, whose files may lie anywhere. */
static const char *const in_memory[] = {"tmpfs", "hugetlbfs", "ramfs", "rootfs", "devtmpfs"};
static const char *const on_disk[] = {"ext2", "ext3", "ext4", "xfs", "btrfs", "f2fs", "vfat"};

static bool is_among(const char *type, size_t length, const char *const *names, size_t count)
{
    bool found = false;

    for (size_t i = 0; i < count && !found; i++) {
        found = strlen(names[i]) == length && memcmp(names[i], type, length) == 0;
    }
    return found;
}

/* Parses one line (proc_pid_mountinfo(5)): "36 35 98:0 /root /mount options [optional fields] -
 * type source options". Blanks within a field are escaped. False: the line is of another device. */
static bool parse_line(const char *line, uint64_t device, linux_filler *filler)
{
    const char *at = strchr(line, ' ');
    char *end = NULL;
    unsigned long major, minor;
    bool good = false;
    size_t length;

    at = at == NULL ? NULL : strchr(at + 1, ' ');
    if (at == NULL) {
        goto done;
    }
    major = strtoul(at + 1, &end, 10);
    minor = *end == ':' ? strtoul(end + 1, NULL, 10) : 0;
    at = makedev(major, minor) == device ? strstr(end, " - ") : NULL;
    if (at == NULL) {
        goto done;
    }
    at += 3;
    length = strcspn(at, " ");
    good = true;
    *filler = LINUX_FILLER_OTHER;
    if (is_among(at, length, in_memory, sizeof in_memory / sizeof *in_memory)) {
        *filler = LINUX_FILLER_MEMORY;
    } else if (is_among(at, length, on_disk, sizeof on_disk / sizeof *on_disk)) {
        *filler = LINUX_FILLER_DISK;
    }
done:
    return good;
}

static linux_filler find_mounted(const linux_target *process, uint64_t device)
{
    int file = linux_process_open(process->folder, process->thread, "mountinfo", O_RDONLY);
    linux_filler filler = LINUX_FILLER_OTHER;
    char text[LINE_AT_MOST];
    size_t kept = 0;
    bool found = false;
    ssize_t got = file < 0 ? 0 : 1;

    while (!found && got > 0 && kept < sizeof text - 1) {
        char *line = text;
        char *end;

        got = read(file, text + kept, sizeof text - 1 - kept);
        kept += got > 0 ? (size_t)got : 0;
        text[kept] = '\0';
        while (!found && (end = strchr(line, '\n')) != NULL) {
            *end = '\0';
            found = parse_line(line, device, &filler);
            line = end + 1;
        }
        kept -= (size_t)(line - text);
        memmove(text, line, kept);
    }
    linux_close(&file);
    return filler;
}

/* Finds the file systems (tmpfs) of the memory shared by mmap(2), shmget(2) and memfd_create(2),
 * which is mounted nowhere, and of shm_open(3). */
static void find_shared_memory(linux_target *process)
{
    struct stat file;
    struct statfs system;
    int made = (int)syscall(SYS_memfd_create, "pydbgwrite", MFD_CLOEXEC);

    if (made >= 0 && fstat(made, &file) == 0) {
        process->shared_memory[0] = file.st_dev;
    }
    linux_close(&made);
    if (statfs("/dev/shm", &system) == 0 && system.f_type == TMPFS_MAGIC &&
        stat("/dev/shm", &file) == 0) {
        process->shared_memory[1] = file.st_dev;
    }
}

linux_filler linux_filler_of(linux_target *process, const linux_region *region)
{
    linux_known_device *known = &process->devices[region->device % LINUX_KNOWN_DEVICES];
    linux_filler filler = LINUX_FILLER_OTHER;

    if (process->shared_memory[0] == 0) {
        find_shared_memory(process);
    }
    if (!region->file_backed || region->page_size > process->base.page_size || /* hugetlbfs */
        (region->device != 0 && (region->device == process->shared_memory[0] ||
                                 region->device == process->shared_memory[1]))) {
        filler = LINUX_FILLER_MEMORY;
    } else if (process->tracer != NULL && region->device != 0) {
        if (known->device != region->device) {
            known->filler = (int)find_mounted(process, region->device);
            known->device = region->device;
        }
        filler = (linux_filler)known->filler;
    }
    return filler;
}
