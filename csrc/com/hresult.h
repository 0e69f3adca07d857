/* The HRESULTs that the project returns or looks for, by Microsoft's names.
 *
 * Values: winerror.h as documented in MicrosoftDocs/windows-driver-docs, hresult-values.md.
 * HRESULT_FROM_WIN32(x) is 0x80070000 | x; HRESULT_FROM_NT(x) is x | 0x10000000.
 */
#ifndef PYDBGWRITE_COM_HRESULT_H
#define PYDBGWRITE_COM_HRESULT_H

#include "types.h"

#if !defined(_WIN32)
#define S_OK          ((HRESULT)0x00000000)
#define S_FALSE       ((HRESULT)0x00000001)
#define E_UNEXPECTED  ((HRESULT)0x8000FFFF)
#define E_ABORT       ((HRESULT)0x80004004)
#define E_NOTIMPL     ((HRESULT)0x80004001)
#define E_NOINTERFACE ((HRESULT)0x80004002)
#define E_POINTER     ((HRESULT)0x80004003)
#define E_FAIL        ((HRESULT)0x80004005)
#define E_OUTOFMEMORY ((HRESULT)0x8007000E)
#define E_INVALIDARG  ((HRESULT)0x80070057)
#endif

#define HR_READ_FAULT  ((HRESULT)0x8007001E) /* ERROR_READ_FAULT: every failing read */
#define HR_WRITE_FAULT ((HRESULT)0x8007001D) /* ERROR_WRITE_FAULT */
#define HR_GEN_FAILURE ((HRESULT)0x8007001F) /* ERROR_GEN_FAILURE */
#define HR_INVALID_ADDRESS                                                                         \
    ((HRESULT)0x800701E7)                      /* ERROR_INVALID_ADDRESS: nothing is mapped there */
#define HR_CALL_REFUSED  ((HRESULT)0x80070078) /* ERROR_CALL_NOT_IMPLEMENTED: a system call */
#define HR_ACCESS_DENIED ((HRESULT)0x80070005) /* ERROR_ACCESS_DENIED: mapped, write refused */
#define HR_NOT_FOUND     ((HRESULT)0x9000001A) /* HRESULT_FROM_NT(STATUS_NO_MORE_ENTRIES) */

#endif
