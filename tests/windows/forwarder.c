/* python3.dll for the Windows lane: no code, only exports that forward to python3XY.dll. */
int __stdcall DllMainCRTStartup(void *module, unsigned int reason, void *reserved);

int __stdcall DllMainCRTStartup(void *module, unsigned int reason, void *reserved)
{
    (void)module;
    (void)reason;
    (void)reserved;
    return 1;
}
