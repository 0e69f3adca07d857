/* python.exe for the Windows lane: a console program whose whole body is Py_Main.
 *
 * Linked with python3XY.dll itself (64-bit by gcc, 32-bit by gcc -m32 and our own linker script),
 * and with no C runtime of its own: so the same lines serve both, and a cross compiler without
 * 32-bit libraries is enough. */
#include <wchar.h>

__declspec(dllimport) int Py_Main(int count, wchar_t **arguments);
__declspec(dllimport) wchar_t *__stdcall GetCommandLineW(void);
__declspec(dllimport) wchar_t **__stdcall CommandLineToArgvW(const wchar_t *line, int *count);
__declspec(dllimport) void __stdcall ExitProcess(unsigned int code);

void start(void);

void start(void)
{
    int count = 0;
    wchar_t **arguments = CommandLineToArgvW(GetCommandLineW(), &count);

    ExitProcess((unsigned int)Py_Main(count, arguments));
}
