/* Recording into a file by another thread; see recorded_stream.h. */
#include "recorded_stream.h"

/* Records that the other thread has, one of which it writes: so many have room in the log. */
#define MOST_FLYING POINTER_ASIDE_MOST

/* A job says whether the one before has failed, so it stays until the one behind has ended. */
#define JOBS (MOST_FLYING + 1)

/* What is under way. A piece is prepared, then on its way to the file, then in the target. */
typedef struct record_stream {
    recorded_write *write;
    const record_piece *prepared; /* or NULL */
    record_file_job jobs[JOBS];   /* those numbered ended..begun-1 are flying */
    const record_piece *recording[JOBS];
    bool aside[JOBS]; /* another thread does the job */
    size_t begun, ended;
    const record_piece *in_file; /* to be written to the target; or NULL */
    core_error failed;           /* why no more can be prepared */
    uint64_t from;               /* the first element that is not prepared */
} record_stream;

bool recorded_stream_may(const recorded_write *self)
{
    const core_error *error = self->error;

    return self->log != NULL && self->log->file != NULL && !self->log->durable &&
           self->session->target.scatter != NULL &&
           error->count - error->done > recorded_most(self->whole, error->width);
}

/* Ends the write because of the exception that is set. */
static void stop(const recorded_write *self)
{
    self->work->raised = true;
    self->error->status = CORE_STOPPED;
}

/* Prepares the next piece, if there is one. */
static void prepare(record_stream *stream)
{
    recorded_write *self = stream->write;
    uint64_t most = recorded_most(self->whole, self->error->width);
    uint64_t left = self->error->count - stream->from;
    record_piece *piece = &self->pieces[self->count % JOBS];

    if (left > 0 && self->count < RECORDED_MOST_GROUPED && stream->failed.status == CORE_OK) {
        piece->from = stream->from;
        piece->count = left < most ? left : most;
        if (recorded_prepare(self, piece, &stream->failed)) {
            stream->prepared = piece;
            stream->from += piece->count;
            self->count++;
        } else if (self->work->raised) {
            if (stream->failed.status == CORE_OK) {
                recorded_explain(self, piece->from + piece->count);
            }
            stop(self);
        }
    }
}

/* Begins to write the prepared piece's record to the file, behind those that are flying. */
static void begin(record_stream *stream)
{
    recorded_write *self = stream->write;
    IPointerScatter *scatter = self->session->target.scatter;
    size_t at = stream->begun % JOBS;
    record_file_job *job = &stream->jobs[at];
    const record_file_job *before =
        stream->begun == stream->ended ? NULL : &stream->jobs[(stream->begun - 1) % JOBS];

    if (record_log_begin(self->log, before, job)) {
        stream->aside[at] = scatter->lpVtbl->BeginAside(scatter, record_file_run, job) == S_OK;
        stream->recording[at] = stream->prepared;
        stream->begun++;
        if (!stream->aside[at]) { /* and then none is flying before it */
            PyThreadState *released = PyEval_SaveThread();

            record_file_run(job);
            PyEval_RestoreThread(released);
        }
    } else {
        recorded_explain(self, stream->prepared->from + stream->prepared->count);
        stop(self);
    }
    stream->prepared = NULL;
}

/* Waits until the first flying record is in the file. What went wrong before stays the reason. */
static void end(record_stream *stream)
{
    recorded_write *self = stream->write;
    IPointerScatter *scatter = self->session->target.scatter;
    size_t at = stream->ended % JOBS;
    bool failed_before = self->error->status != CORE_OK;
    PyObject *type, *value, *trace;
    PyThreadState *released;
    bool good = false;

    PyErr_Fetch(&type, &value, &trace);
    if (stream->aside[at]) {
        released = PyEval_SaveThread();
        (void)scatter->lpVtbl->EndAside(scatter);
        PyEval_RestoreThread(released);
    }
    stream->ended++;
    if (session_not_forked(self->session)) { /* in a child the journal is its parent's */
        good = record_log_end(self->log, &stream->jobs[at]);
        if (!good && !failed_before) {
            recorded_explain(self, stream->recording[at]->from + stream->recording[at]->count);
        }
    }
    if (good) {
        stream->in_file = stream->recording[at];
    } else if (!failed_before) {
        stop(self);
    }
    if (failed_before) {
        PyErr_Clear();
        PyErr_Restore(type, value, trace);
    }
}

/* Writes the piece whose record is in the file. */
static void write_target(record_stream *stream)
{
    recorded_write *self = stream->write;
    const record_piece *piece = stream->in_file;

    long_work_begin(self->work, self->session, piece->count * self->error->width);
    if (recorded_write_piece(self, piece)) {
        stream->in_file = NULL;
    }
    long_work_end(self->work);
    if (self->work->raised) {
        stop(self);
    }
}

/* Returns whether another record can fly: behind one that this thread has written, none does. */
static bool may_begin(const record_stream *stream)
{
    size_t flying = stream->begun - stream->ended;

    return flying == 0 || (flying < MOST_FLYING && stream->aside[(stream->begun - 1) % JOBS]);
}

bool recorded_stream_do(recorded_write *self)
{
    core_error *error = self->error;
    record_stream stream = {.write = self, .failed = *error, .from = error->done};
    uint64_t most = recorded_most(self->whole, error->width);

    self->count = 0;
    if (record_log_split(self->log, recorded_payload(self->whole, most, error->width))) {
        prepare(&stream);
    } else {
        recorded_explain(self, error->done + most);
        stop(self);
    }
    while (error->status == CORE_OK && (stream.prepared != NULL || stream.begun > stream.ended)) {
        if (stream.prepared != NULL && may_begin(&stream)) {
            begin(&stream);
        } else {
            end(&stream);
            if (error->status == CORE_OK) {
                write_target(&stream);
            }
        }
        if (error->status == CORE_OK && stream.prepared == NULL &&
            stream.begun - stream.ended < MOST_FLYING) {
            prepare(&stream);
        }
    }
    while (stream.begun > stream.ended) {
        end(&stream);
    }
    if (error->status == CORE_OK && stream.failed.status != CORE_OK) {
        stream.failed.done = error->done;
        *error = stream.failed;
    }
    record_log_drop(self->log);
    return stream.in_file != NULL;
}
