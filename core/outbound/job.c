/* Jobs: their memory, used again, and the list of all of them. */
#include "outbound/job.h"

#define SPARE_JOBS_MAX 256u

void job_link(struct job *job)
{
    struct outbound *o = job->shard->outbound;
    if (job->parked)
        o->unparked_jobs++;
    else
        job->shard->lanes[job->class].held++;
    job->next = o->jobs;
    if (o->jobs)
        o->jobs->prev = job;
    o->jobs = job;
}

void job_unlink(struct job *job)
{
    struct outbound *o = job->shard->outbound;
    if (job->parked)
        o->unparked_jobs--;
    else
        job->shard->lanes[job->class].held--;
    if (job->prev)
        job->prev->next = job->next;
    else
        o->jobs = job->next;
    if (job->next)
        job->next->prev = job->prev;
}

/* A used one with its memory, as long as there is one: so many come and go that the allocator would be a large part of the cost. */
struct job *job_new(struct shard *shard)
{
    struct outbound *o = shard->outbound;
    struct job *job = o->spare_jobs;
    if (!job)
        job = calloc(1, sizeof *job);
    else
        o->spare_jobs = job->next;
    if (!job)
        return NULL;
    o->spare_job_count -= o->spare_job_count > 0;
    *job = (struct job){ .shard = shard,
                         .address = job->address,
                         .data = job->data,
                         .external_id = job->external_id,
                         .provider_code = job->provider_code,
                         .provider_message = job->provider_message };
    return job;
}

static void job_release(struct job *job)
{
    kanal_buffer_release(&job->address);
    kanal_buffer_release(&job->data);
    kanal_buffer_release(&job->external_id);
    kanal_buffer_release(&job->provider_code);
    kanal_buffer_release(&job->provider_message);
    free(job);
}

void job_free(struct job *job)
{
    struct outbound *o = job->shard->outbound;
    parts_release(&job->content);
    yyjson_doc_free(job->document);
    if (o->spare_job_count >= SPARE_JOBS_MAX) {
        job_release(job);
        return;
    }
    outbound_buffer_clear(&job->address);
    outbound_buffer_clear(&job->data);
    outbound_buffer_clear(&job->external_id);
    outbound_buffer_clear(&job->provider_code);
    outbound_buffer_clear(&job->provider_message);
    job->next = o->spare_jobs;
    o->spare_jobs = job;
    o->spare_job_count++;
}

void jobs_free_spent(struct outbound *o)
{
    while (o->spent) {
        struct job *job = o->spent;
        o->spent = job->next;
        job_free(job);
    }
}

void jobs_free_all(struct outbound *o)
{
    for (struct job *job = o->jobs, *next; job; job = next) {
        next = job->next;
        if (job->op)
            channel_forget(job->op);
        job_free(job);
    }
    o->jobs = NULL;
    jobs_free_spent(o);
    for (struct job *job = o->spare_jobs, *next; job; job = next) {
        next = job->next;
        job_release(job);
    }
    o->spare_jobs = NULL;
}
