/* The owner of the engine's one debugging session; see claim.h. */
#include "claim.h"

#include "../../base/atomics.h"
#include "../../com/hresult.h"
#include "../../com/iids.h"
#include "loading.h"

enum { FREE, TAKEN, LOST };
static atomic_i32 engine_use;

bool dbgeng_is_lost(void)
{
    return atomic_i32_load(&engine_use) == LOST;
}

bool dbgeng_claim(dbgeng_error *error)
{
    bool claimed = atomic_i32_compare_exchange(&engine_use, FREE, TAKEN);

    return claimed ? true : dbgeng_fail(error, dbgeng_is_lost() ? DBGENG_LOST : DBGENG_BUSY);
}

void dbgeng_unclaim(void)
{
    (void)atomic_i32_compare_exchange(&engine_use, TAKEN, FREE);
}

void dbgeng_lose(void)
{
    atomic_i32_store(&engine_use, LOST);
}

bool dbgeng_create_client(IDebugClient5 **client, dbgeng_error *error)
{
    void *made = NULL;
    HRESULT status = dbgeng_loaded()->create(&iid_debug_client5, &made);

    *client = made;
    return status == S_OK ? true : dbgeng_fail_engine(error, "DebugCreate", status);
}
