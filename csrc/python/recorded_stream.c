/* Recording into a file by another thread; see recorded_stream.h. */
#include "recorded_stream.h"

/* What is under way. A piece is prepared, then in the file, then in the target. */
typedef struct record_stream {
    recorded_write *write;
    const record_piece *prepared; /* or NULL */
    const record_piece *in_file;  /* the one before; or NULL */
    record_file_job job;
    bool aside;        /* another thread does the job */
    core_error failed; /* why no more can be prepared */
    uint64_t from;     /* the first element that is not prepared */
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
    record_piece *piece = &self->pieces[self->count % 2];

    stream->prepared = NULL;
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

/* Begins to write the piece's record to the file. False: an exception is set. */
static bool begin(record_stream *stream, const record_piece *recording)
{
    recorded_write *self = stream->write;
    IPointerScatter *scatter = self->session->target.scatter;
    bool good = record_log_begin(self->log, &stream->job);

    if (good) {
        stream->aside = scatter->lpVtbl->BeginAside(scatter, record_file_run, &stream->job) == S_OK;
    } else {
        recorded_explain(self, recording->from + recording->count);
        stop(self);
    }
    return good;
}

/* Waits until the piece's record is in the file; or else this thread writes it. What went wrong
 * before stays the reason. */
static void end(record_stream *stream, const record_piece *recording)
{
    recorded_write *self = stream->write;
    IPointerScatter *scatter = self->session->target.scatter;
    bool failed_before = self->error->status != CORE_OK;
    PyObject *type, *value, *trace;
    PyThreadState *released;
    bool good = false;

    PyErr_Fetch(&type, &value, &trace);
    released = PyEval_SaveThread();
    if (stream->aside) {
        (void)scatter->lpVtbl->EndAside(scatter);
    } else if (!failed_before) {
        record_file_run(&stream->job);
    }
    PyEval_RestoreThread(released);
    if (!stream->aside && failed_before) {
        good = false;                               /* nothing of it is in the file */
    } else if (session_not_forked(self->session)) { /* in a child the journal is its parent's */
        good = record_log_end(self->log, &stream->job);
        if (!good && !failed_before) {
            recorded_explain(self, recording->from + recording->count);
        }
    }
    if (good) {
        stream->in_file = recording;
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

bool recorded_stream_do(recorded_write *self)
{
    core_error *error = self->error;
    record_stream stream = {.write = self, .failed = *error, .from = error->done};
    uint64_t most = recorded_most(self->whole, error->width);
    bool begun;

    self->count = 0;
    if (record_log_split(self->log, recorded_payload(self->whole, most, error->width))) {
        prepare(&stream);
    } else {
        recorded_explain(self, error->done + most);
        stop(self);
    }
    while (error->status == CORE_OK && (stream.prepared != NULL || stream.in_file != NULL)) {
        const record_piece *recording = stream.prepared;

        stream.prepared = NULL;
        begun = recording != NULL && begin(&stream, recording);
        if (error->status == CORE_OK && stream.in_file != NULL) {
            write_target(&stream);
        }
        if (error->status == CORE_OK) {
            prepare(&stream);
        }
        if (begun) {
            end(&stream, recording);
        }
    }
    if (error->status == CORE_OK && stream.failed.status != CORE_OK) {
        stream.failed.done = error->done;
        *error = stream.failed;
    }
    record_log_drop(self->log);
    return stream.in_file != NULL;
}
