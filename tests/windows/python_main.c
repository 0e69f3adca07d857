/* python.exe for the Windows lane: a console program whose whole body is Py_Main.
 *
 * Linked with python3XY.dll itself, and with no C runtime of its own: it takes that of Python. */
#include <wchar.h>

#define UNEXPANDED_ARGUMENTS 1

__declspec(dllimport) int Py_Main(int count, wchar_t **arguments);
__declspec(dllimport) int _configure_wide_argv(int mode);
__declspec(dllimport) int *__p___argc(void);
__declspec(dllimport) wchar_t ***__p___wargv(void);
__declspec(dllimport) void __stdcall ExitProcess(unsigned int code);

void start(void);

void start(void)
{
    /* By the C runtime that Python brings along: CommandLineToArgvW would load the whole shell. */
    (void)_configure_wide_argv(UNEXPANDED_ARGUMENTS);
    ExitProcess((unsigned int)Py_Main(*__p___argc(), *__p___wargv()));
}
