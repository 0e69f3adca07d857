/* Tests of a live Linux process as a target: its memory while it runs and while it is stopped. */
#define _GNU_SOURCE 1
#include <elf.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "../../csrc/engines/embedded/linux/memory.h"
#include "check.h"
#include "linux_children.h"

#define LIMIT 20000u

/* Pages of the child, one of each kind, with a hole before and after them. */
enum {
    HOLE,
    WRITABLE,
    READ_ONLY,
    WRITABLE_TOO,
    SHARED_READ_ONLY,
    NOTHING,
    EXECUTABLE,
    TAIL,
    PAGES
};

/* Far below the addresses that mmap(2) chooses: it would put other mappings into the holes. The
 * sanitizers of addresses and of data races (sanitizer tsan_platform.h, kMidAppMemBeg) leave this
 * place to programs; they keep most others to themselves. */
#define AREA ((void *)(uintptr_t)UINT64_C(0x550000000000))

static size_t page;
static unsigned char *area; /* the same addresses in the children, which are forked */

static uint64_t at(int number)
{
    return (uint64_t)(uintptr_t)area + (uint64_t)number * page;
}

static void make_pages(void)
{
    int file = memfd_create("shared", MFD_CLOEXEC);

    page = (size_t)sysconf(_SC_PAGESIZE);
    area = mmap(AREA, PAGES * page, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (file < 0 || area == MAP_FAILED || ftruncate(file, (off_t)page) != 0 ||
        mmap(area + SHARED_READ_ONLY * page, page, PROT_READ, MAP_SHARED | MAP_FIXED, file, 0) ==
            MAP_FAILED) {
        abort();
    }
    close(file);
    mprotect(area + READ_ONLY * page, page, PROT_READ);
    mprotect(area + NOTHING * page, page, PROT_NONE);
    mprotect(area + EXECUTABLE * page, page, PROT_READ | PROT_EXEC);
    munmap(area, page);
    munmap(area + TAIL * page, page);
}

static void serve(child *self, void *context)
{
    (void)context;
    child_serve(self);
}

static HRESULT put(embedded_target *to, uint64_t address, const void *data, size_t size,
                   size_t *moved)
{
    *moved = 12345;
    return to->operations->write(to, address, data, size, moved);
}

static HRESULT get(embedded_target *from, uint64_t address, void *data, size_t size, size_t *moved)
{
    *moved = 12345;
    return from->operations->read(from, address, data, size, moved);
}

static void check_query(embedded_target *of, int number, ULONG state, ULONG protect, ULONG type)
{
    MEMORY_BASIC_INFORMATION64 info;

    CHECK_EQUAL(of->operations->query(of, at(number) + 9, &info), S_OK);
    CHECK_EQUAL(info.State, state);
    CHECK_EQUAL(info.Protect, protect);
    CHECK_EQUAL(info.Type, type);
    CHECK_EQUAL(info.BaseAddress, at(number) - at(number) % of->page_size);
    CHECK(info.BaseAddress + info.RegionSize > at(number));
    if (state == MEM_FREE) {
        /* A gap ends where the next mapping starts. */
        uint64_t end = info.BaseAddress + info.RegionSize;

        CHECK_EQUAL(of->operations->query(of, end, &info), S_OK);
        CHECK(info.State == MEM_COMMIT && info.BaseAddress == end);
    }
}

static void check_regions(embedded_target *of)
{
    MEMORY_BASIC_INFORMATION64 info;

    check_query(of, HOLE, MEM_FREE, PAGE_NOACCESS, 0);
    check_query(of, WRITABLE, MEM_COMMIT, PAGE_READWRITE, MEM_PRIVATE);
    check_query(of, READ_ONLY, MEM_COMMIT, PAGE_READONLY, MEM_PRIVATE);
    check_query(of, SHARED_READ_ONLY, MEM_COMMIT, PAGE_READONLY, MEM_MAPPED);
    check_query(of, NOTHING, MEM_COMMIT, PAGE_NOACCESS, MEM_PRIVATE);
    check_query(of, EXECUTABLE, MEM_COMMIT, PAGE_EXECUTE_READ, MEM_PRIVATE);
    CHECK_EQUAL(of->operations->query(of, UINT64_C(1) << 63, &info), E_NOINTERFACE);
    CHECK_EQUAL(of->operations->query(of, (UINT64_C(1) << 63) - 1, &info), E_NOINTERFACE);
    CHECK_EQUAL(of->operations->query(of, UINT64_MAX, &info), E_NOINTERFACE);
    CHECK_EQUAL(of->operations->query(of, (uint64_t)(uintptr_t)&check_report, &info), S_OK);
    CHECK_EQUAL(info.Type, MEM_IMAGE);
}

static void check_refused(embedded_target *to, int number, HRESULT write_result,
                          HRESULT read_result)
{
    uint64_t value = 7;
    size_t moved;

    CHECK_EQUAL(put(to, at(number), &value, sizeof value, &moved), write_result);
    CHECK_EQUAL(moved, write_result == S_OK ? sizeof value : 0);
    CHECK_EQUAL(get(to, at(number), &value, sizeof value, &moved), read_result);
    CHECK_EQUAL(moved, read_result == S_OK ? sizeof value : 0);
}

static void check_memory(embedded_target *to)
{
    unsigned char data[3 * 65536];
    unsigned char back[sizeof data];
    uint64_t high = UINT64_C(0xffffffffff600000); /* [vsyscall] on x86-64 */
    size_t moved;
    size_t size;

    for (size = 0; size < sizeof data; size++) {
        data[size] = (unsigned char)(size * 7 + size / 256 + 1);
    }
    /* Unaligned addresses, across the private read-only page. */
    size = 3 * page - 3;
    CHECK_EQUAL(put(to, at(WRITABLE) + 3, data, size, &moved), S_OK);
    CHECK_EQUAL(moved, size);
    CHECK_EQUAL(get(to, at(WRITABLE) + 3, back, size, &moved), S_OK);
    CHECK_EQUAL(moved, size);
    CHECK(memcmp(data, back, size) == 0);
    /* Exactly the bytes before the border are moved. */
    CHECK_EQUAL(put(to, at(SHARED_READ_ONLY) - 5, data + 1, 100, &moved), HR_ACCESS_DENIED);
    CHECK_EQUAL(moved, 5);
    CHECK_EQUAL(linux_memory_force_refused(to), LINUX_FORCE_NOT_REFUSED);
    CHECK_EQUAL(get(to, at(NOTHING) - 5, back, 100, &moved), HR_READ_FAULT);
    CHECK_EQUAL(moved, 5);
    CHECK_EQUAL(put(to, at(TAIL) - 13, data, 64, &moved), HR_INVALID_ADDRESS);
    CHECK_EQUAL(moved, 13);
    CHECK_EQUAL(get(to, at(TAIL) - 13, back, 64, &moved), HR_READ_FAULT);
    CHECK_EQUAL(moved, 13);
    CHECK(memcmp(back, data, 13) == 0);
    check_refused(to, HOLE, HR_INVALID_ADDRESS, HR_READ_FAULT);
    check_refused(to, WRITABLE, S_OK, S_OK);
    check_refused(to, READ_ONLY, S_OK, S_OK);
    check_refused(to, SHARED_READ_ONLY, HR_ACCESS_DENIED, S_OK);
    check_refused(to, NOTHING, HR_ACCESS_DENIED, HR_READ_FAULT);
    check_refused(to, EXECUTABLE, S_OK, S_OK);
    CHECK_EQUAL(put(to, high, data, 8, &moved), HR_INVALID_ADDRESS);
    CHECK_EQUAL(get(to, high, back, 8, &moved), HR_READ_FAULT);
    CHECK_EQUAL(put(to, 0, data, 8, &moved), HR_INVALID_ADDRESS);
    CHECK_EQUAL(put(to, UINT64_MAX - 7, data, 8, &moved), HR_INVALID_ADDRESS);
    CHECK_EQUAL(moved, 0);
    check_regions(to);
}

static void test_memory(bool suspend)
{
    child one = child_start(serve, NULL);
    linux_open_error error;
    uint64_t value = 9;
    size_t moved;
    size_t length = 0;
    char *text = NULL;
    embedded_target *held;

    CHECK(child_hear(&one));
    held = attach_to(one.id, suspend, true, LIMIT, &error);
    if (!CHECK(held != NULL)) {
        goto done;
    }
    CHECK_EQUAL(held->pointer_size, sizeof(void *));
    CHECK_EQUAL(held->process_id, one.id);
    CHECK_EQUAL(held->operations->accessible(held), S_OK);
    check_memory(held);
    CHECK_EQUAL(linux_read_maps(held, &text, &length), S_OK);
    CHECK(text != NULL && strlen(text) == length && strstr(text, "[stack]") != NULL);
    free(text);
    CHECK_EQUAL(held->operations->detach(held), S_OK);
    CHECK_EQUAL(held->operations->accessible(held), E_UNEXPECTED);
    CHECK_EQUAL(put(held, at(WRITABLE), &value, sizeof value, &moved), E_UNEXPECTED);
    CHECK_EQUAL(linux_read_maps(held, &text, &length), E_UNEXPECTED);
    CHECK_EQUAL(held->operations->detach(held), S_OK);
    CHECK_EQUAL(held->operations->terminate(held), S_OK);
    CHECK(child_answers(&one));
    held->operations->destroy(held);

    held = attach_to(one.id, suspend, false, LIMIT, &error);
    if (CHECK(held != NULL)) {
        check_refused(held, WRITABLE, HR_ACCESS_DENIED, S_OK);
        CHECK_EQUAL(kill(one.id, SIGKILL), 0);
        CHECK_EQUAL(waitpid(one.id, NULL, 0), one.id);
        one.id = -1;
        CHECK_EQUAL(held->operations->accessible(held), E_UNEXPECTED);
        CHECK_EQUAL(get(held, at(WRITABLE), &value, sizeof value, &moved), E_UNEXPECTED);
        CHECK_EQUAL(moved, 0);
        held->operations->destroy(held);
    }
done:
    child_stop(&one);
}

/* A running process calls execve, or ends while another process keeps its memory alive. */
static void exec_on_word(child *self, void *context)
{
    char *arguments[] = {"cat", NULL};

    (void)context;
    child_say(self, 'r');
    child_hear(self);
    dup2(self->in, 0);
    dup2(self->out, 1);
    execv("/bin/cat", arguments); /* answers as child_serve() does */
}

static void test_exec_while_running(void)
{
    child one = child_start(exec_on_word, NULL);
    linux_open_error error;
    uint64_t value = 1;
    size_t moved;
    char *text;
    size_t length;
    embedded_target *held;
    MEMORY_BASIC_INFORMATION64 info;

    CHECK(child_hear(&one));
    held = attach_to(one.id, false, true, LIMIT, &error);
    if (CHECK(held != NULL)) {
        CHECK_EQUAL(put(held, at(WRITABLE), &value, sizeof value, &moved), S_OK);
        child_say(&one, 'x');
        CHECK(child_answers(&one)); /* cat answers: the execve has happened */
        CHECK_EQUAL(put(held, at(WRITABLE), &value, sizeof value, &moved), E_UNEXPECTED);
        CHECK_EQUAL(moved, 0);
        CHECK_EQUAL(get(held, at(WRITABLE), &value, sizeof value, &moved), E_UNEXPECTED);
        CHECK_EQUAL(held->operations->query(held, at(WRITABLE), &info), E_UNEXPECTED);
        CHECK_EQUAL(linux_read_maps(held, &text, &length), E_UNEXPECTED);
        held->operations->destroy(held);
    }
    child_stop(&one);
}

/* ---- the same without features of newer kernels or of a less strict sandbox -------------------
 */

#define ANSWER(number, code)                                                                       \
    BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, (number), 0, 1),                                           \
        BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ERRNO | (code))

/* ioctl fails as without PROCMAP_QUERY (before 6.11); process_vm_* fail as in some sandboxes. */
static void test_sandboxed(bool calls)
{
    struct sock_filter with_calls[] = {BPF_STMT(BPF_LD | BPF_W | BPF_ABS, 0),
                                       ANSWER(SYS_ioctl, ENOTTY),
                                       BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW)};
    struct sock_filter without[] = {BPF_STMT(BPF_LD | BPF_W | BPF_ABS, 0),
                                    ANSWER(SYS_ioctl, ENOTTY), ANSWER(SYS_process_vm_readv, EPERM),
                                    ANSWER(SYS_process_vm_writev, ENOSYS),
                                    BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW)};
    struct sock_fprog program = {.len = calls ? 4 : 8, .filter = calls ? with_calls : without};
    int status = 0;
    pid_t inner;

    fflush(NULL);
    inner = fork();
    if (inner == 0) {
        check_failed = 0;
        alarm(60);
        if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) != 0 ||
            prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &program) != 0) {
            _exit(2);
        }
        test_memory(true);
        test_memory(false);
        _exit(check_failed == 0 ? 0 : 1);
    }
    CHECK_EQUAL(waitpid(inner, &status, 0), inner);
    CHECK_EQUAL(status, 0);
}

/* An ELF32 program of 16 bytes of code: `mov eax, 29 (pause); int 0x80; jmp back`, and a word of
 * data that the test writes. */
static void exec_elf32(child *self, void *context)
{
    static const unsigned char code[] = {0xb8, 29, 0, 0, 0, 0xcd, 0x80, 0xeb, 0xf7};
    unsigned char image[4096] = {0};
    Elf32_Ehdr header = {.e_ident = {0x7f, 'E', 'L', 'F', ELFCLASS32, ELFDATA2LSB, EV_CURRENT},
                         .e_type = ET_EXEC,
                         .e_machine = EM_386,
                         .e_version = EV_CURRENT,
                         .e_entry = 0x10000 + 0x200,
                         .e_phoff = sizeof(Elf32_Ehdr),
                         .e_ehsize = sizeof(Elf32_Ehdr),
                         .e_phentsize = sizeof(Elf32_Phdr),
                         .e_phnum = 1};
    Elf32_Phdr segment = {.p_type = PT_LOAD,
                          .p_vaddr = 0x10000,
                          .p_paddr = 0x10000,
                          .p_filesz = sizeof image,
                          .p_memsz = sizeof image,
                          .p_flags = PF_R | PF_W | PF_X,
                          .p_align = 0x1000};
    char *nothing[] = {"elf32", NULL};
    int file = memfd_create("elf32", MFD_CLOEXEC);

    (void)context;
    memcpy(image, &header, sizeof header);
    memcpy(image + sizeof header, &segment, sizeof segment);
    memcpy(image + 0x200, code, sizeof code);
    if (write(file, image, sizeof image) == (ssize_t)sizeof image) {
        fcntl(self->out, F_SETFD, FD_CLOEXEC); /* the exec closes it: the test reads the end */
        fexecve(file, nothing, nothing + 1);
        child_say(self, 'n');
    }
}

static void test_elf32(bool suspend)
{
    child one = child_start(exec_elf32, NULL);
    linux_open_error error;
    uint32_t value = 0x12345678;
    uint32_t back = 0;
    size_t moved;
    embedded_target *held;

    if (child_hear(&one)) {
        printf("this kernel runs no 32-bit programs: not tested\n");
    } else {
        held = attach_to(one.id, suspend, true, LIMIT, &error);
        if (CHECK(held != NULL)) {
            CHECK_EQUAL(held->pointer_size, 4);
            CHECK_EQUAL(put(held, 0x10800, &value, sizeof value, &moved), S_OK);
            CHECK_EQUAL(get(held, 0x10800, &back, sizeof back, &moved), S_OK);
            CHECK_EQUAL(back, value);
            held->operations->destroy(held);
            CHECK_EQUAL(kill(one.id, 0), 0);
        }
    }
    child_stop(&one);
}

/* A process is killed during a large write: the count is exact, and nothing crashes. */
static void kill_parent_target(child *self, void *context)
{
    child_say(self, 'r');
    child_hear(self);
    kill(*(pid_t *)context, SIGKILL);
}

static void test_killed_while_written(bool suspend)
{
    size_t size = (size_t)32 << 20;
    unsigned char *room =
        mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    child victim = child_start(serve, NULL);
    child killer = child_start(kill_parent_target, &victim.id);
    linux_open_error error;
    HRESULT result = S_OK;
    size_t moved = 0;
    embedded_target *held;

    memset(room, 1, size);
    CHECK(child_hear(&victim) && child_hear(&killer));
    held = attach_to(victim.id, suspend, true, LIMIT, &error);
    if (CHECK(held != NULL)) {
        child_say(&killer, 'k');
        while (result == S_OK) {
            result = put(held, (uint64_t)(uintptr_t)room, room, size, &moved);
        }
        CHECK_EQUAL(result, E_UNEXPECTED);
        CHECK(moved < size);
        held->operations->destroy(held);
    }
    child_stop(&killer);
    child_stop(&victim);
    munmap(room, size);
}

int main(void)
{
    int suspend;

    alarm(120);
    make_pages();
    for (suspend = 0; suspend < 2; suspend++) {
        test_memory(suspend != 0);
        test_elf32(suspend != 0);
        test_killed_while_written(suspend != 0);
    }
    test_exec_while_running();
    test_sandboxed(true);
    test_sandboxed(false);
    return check_report();
}
