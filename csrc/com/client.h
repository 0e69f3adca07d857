/* IDebugClient: sessions. The vtable of IDebugClient5, of which every older version is a prefix.
 *
 * Slot order: Microsoft's dbgeng.h as documented in MicrosoftDocs/windows-driver-docs-ddi
 * (wdk-ddi-src/content/dbgeng) and mingw-w64's public domain dbgeng.h, which agree slot for slot.
 * Only the methods that the project calls or implements are typed.
 */
#ifndef PYDBGWRITE_COM_CLIENT_H
#define PYDBGWRITE_COM_CLIENT_H

#include "types.h"

/* EndSession's flags (dbgeng.h). */
#define DEBUG_END_PASSIVE          0u
#define DEBUG_END_ACTIVE_TERMINATE 1u
#define DEBUG_END_ACTIVE_DETACH    2u
#define DEBUG_END_DISCONNECT       4u

typedef struct IDebugClient5 IDebugClient5;

typedef struct IDebugClient5Vtbl {
    COM_UNKNOWN(IDebugClient5);
    com_untyped_slot AttachKernel;
    com_untyped_slot GetKernelConnectionOptions;
    com_untyped_slot SetKernelConnectionOptions;
    com_untyped_slot StartProcessServer;
    com_untyped_slot ConnectProcessServer;
    HRESULT(STDMETHODCALLTYPE *DisconnectProcessServer)
    (IDebugClient5 *This, ULONG64 Server);
    HRESULT(STDMETHODCALLTYPE *GetRunningProcessSystemIds)
    (IDebugClient5 *This, ULONG64 Server, ULONG *Ids, ULONG Count, ULONG *ActualCount);
    com_untyped_slot GetRunningProcessSystemIdByExecutableName;
    com_untyped_slot GetRunningProcessDescription;
    HRESULT(STDMETHODCALLTYPE *AttachProcess)
    (IDebugClient5 *This, ULONG64 Server, ULONG ProcessId, ULONG AttachFlags);
    com_untyped_slot CreateProcess;
    com_untyped_slot CreateProcessAndAttach;
    com_untyped_slot GetProcessOptions;
    HRESULT(STDMETHODCALLTYPE *AddProcessOptions)
    (IDebugClient5 *This, ULONG Options);
    com_untyped_slot RemoveProcessOptions;
    com_untyped_slot SetProcessOptions;
    com_untyped_slot OpenDumpFile;
    com_untyped_slot WriteDumpFile;
    HRESULT(STDMETHODCALLTYPE *ConnectSession)
    (IDebugClient5 *This, ULONG Flags, ULONG HistoryLimit);
    com_untyped_slot StartServer;
    com_untyped_slot OutputServers;
    HRESULT(STDMETHODCALLTYPE *TerminateProcesses)(IDebugClient5 *This);
    HRESULT(STDMETHODCALLTYPE *DetachProcesses)(IDebugClient5 *This);
    HRESULT(STDMETHODCALLTYPE *EndSession)(IDebugClient5 *This, ULONG Flags);
    HRESULT(STDMETHODCALLTYPE *GetExitCode)(IDebugClient5 *This, ULONG *Code);
    HRESULT(STDMETHODCALLTYPE *DispatchCallbacks)
    (IDebugClient5 *This, ULONG Timeout);
    com_untyped_slot ExitDispatch;
    HRESULT(STDMETHODCALLTYPE *CreateClient)
    (IDebugClient5 *This, void **Client);
    com_untyped_slot GetInputCallbacks;
    com_untyped_slot SetInputCallbacks;
    com_untyped_slot GetOutputCallbacks;
    com_untyped_slot SetOutputCallbacks;
    com_untyped_slot GetOutputMask;
    com_untyped_slot SetOutputMask;
    com_untyped_slot GetOtherOutputMask;
    com_untyped_slot SetOtherOutputMask;
    com_untyped_slot GetOutputWidth;
    com_untyped_slot SetOutputWidth;
    com_untyped_slot GetOutputLinePrefix;
    com_untyped_slot SetOutputLinePrefix;
    com_untyped_slot GetIdentity;
    com_untyped_slot OutputIdentity;
    com_untyped_slot GetEventCallbacks;
    com_untyped_slot SetEventCallbacks;
    com_untyped_slot FlushCallbacks;
    com_untyped_slot WriteDumpFile2;
    com_untyped_slot AddDumpInformationFile;
    com_untyped_slot EndProcessServer;
    com_untyped_slot WaitForProcessServerEnd;
    com_untyped_slot IsKernelDebuggerEnabled;
    com_untyped_slot TerminateCurrentProcess;
    com_untyped_slot DetachCurrentProcess;
    com_untyped_slot AbandonCurrentProcess;
    com_untyped_slot GetRunningProcessSystemIdByExecutableNameWide;
    HRESULT(STDMETHODCALLTYPE *GetRunningProcessDescriptionWide)
    (IDebugClient5 *This, ULONG64 Server, ULONG SystemId, ULONG Flags, wchar_t *ExeName,
     ULONG ExeNameSize, ULONG *ActualExeNameSize, wchar_t *Description, ULONG DescriptionSize,
     ULONG *ActualDescriptionSize);
    com_untyped_slot CreateProcessWide;
    com_untyped_slot CreateProcessAndAttachWide;
    HRESULT(STDMETHODCALLTYPE *OpenDumpFileWide)
    (IDebugClient5 *This, const wchar_t *FileName, ULONG64 FileHandle);
    com_untyped_slot WriteDumpFileWide;
    com_untyped_slot AddDumpInformationFileWide;
    com_untyped_slot GetNumberDumpFiles;
    com_untyped_slot GetDumpFile;
    com_untyped_slot GetDumpFileWide;
    HRESULT(STDMETHODCALLTYPE *AttachKernelWide)
    (IDebugClient5 *This, ULONG Flags, const wchar_t *ConnectOptions);
    com_untyped_slot GetKernelConnectionOptionsWide;
    com_untyped_slot SetKernelConnectionOptionsWide;
    com_untyped_slot StartProcessServerWide;
    HRESULT(STDMETHODCALLTYPE *ConnectProcessServerWide)
    (IDebugClient5 *This, const wchar_t *RemoteOptions, ULONG64 *Server);
    HRESULT(STDMETHODCALLTYPE *StartServerWide)
    (IDebugClient5 *This, const wchar_t *Options);
    com_untyped_slot OutputServersWide;
    com_untyped_slot GetOutputCallbacksWide;
    com_untyped_slot SetOutputCallbacksWide;
    com_untyped_slot GetOutputLinePrefixWide;
    com_untyped_slot SetOutputLinePrefixWide;
    com_untyped_slot GetIdentityWide;
    com_untyped_slot OutputIdentityWide;
    com_untyped_slot GetEventCallbacksWide;
    com_untyped_slot SetEventCallbacksWide;
    com_untyped_slot CreateProcess2;
    HRESULT(STDMETHODCALLTYPE *CreateProcess2Wide)
    (IDebugClient5 *This, ULONG64 Server, wchar_t *CommandLine, void *OptionsBuffer,
     ULONG OptionsBufferSize, const wchar_t *InitialDirectory, const wchar_t *Environment);
    com_untyped_slot CreateProcessAndAttach2;
    com_untyped_slot CreateProcessAndAttach2Wide;
    com_untyped_slot PushOutputLinePrefix;
    com_untyped_slot PushOutputLinePrefixWide;
    com_untyped_slot PopOutputLinePrefix;
    com_untyped_slot GetNumberInputCallbacks;
    com_untyped_slot GetNumberOutputCallbacks;
    com_untyped_slot GetNumberEventCallbacks;
    com_untyped_slot GetQuitLockString;
    com_untyped_slot SetQuitLockString;
    com_untyped_slot GetQuitLockStringWide;
    com_untyped_slot SetQuitLockStringWide;
} IDebugClient5Vtbl;

struct IDebugClient5 {
    const IDebugClient5Vtbl *lpVtbl;
};

_Static_assert(sizeof(IDebugClient5Vtbl) == 95 * sizeof(void *), "IDebugClient5 has 95 slots");
COM_SLOT(IDebugClient5, QueryInterface, 0);
COM_SLOT(IDebugClient5, AddRef, 1);
COM_SLOT(IDebugClient5, Release, 2);
COM_SLOT(IDebugClient5, GetRunningProcessSystemIds, 9);
COM_SLOT(IDebugClient5, AttachProcess, 12);
COM_SLOT(IDebugClient5, ConnectSession, 21);
COM_SLOT(IDebugClient5, TerminateProcesses, 24);
COM_SLOT(IDebugClient5, DetachProcesses, 25);
COM_SLOT(IDebugClient5, EndSession, 26);
COM_SLOT(IDebugClient5, GetExitCode, 27);
COM_SLOT(IDebugClient5, DisconnectProcessServer, 8);
COM_SLOT(IDebugClient5, AddProcessOptions, 16);
COM_SLOT(IDebugClient5, DispatchCallbacks, 28);
COM_SLOT(IDebugClient5, CreateClient, 30);
COM_SLOT(IDebugClient5, GetRunningProcessDescriptionWide, 57);
COM_SLOT(IDebugClient5, OpenDumpFileWide, 60);
COM_SLOT(IDebugClient5, AttachKernelWide, 66);
COM_SLOT(IDebugClient5, ConnectProcessServerWide, 70);
COM_SLOT(IDebugClient5, StartServerWide, 71);
COM_SLOT(IDebugClient5, CreateProcess2Wide, 82);

#endif
