/* SPDX-License-Identifier: Apache-2.0 */
/* sg-real: cflags="-pthread" */
#include <pthread.h>
#include <semaphore.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#define THREADS 8

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static pthread_cond_t cond = PTHREAD_COND_INITIALIZER;
static pthread_barrier_t barrier;
static pthread_rwlock_t rw = PTHREAD_RWLOCK_INITIALIZER;
static pthread_once_t once = PTHREAD_ONCE_INIT;
static pthread_key_t key;
static sem_t sem;
static atomic_long total;
static long guarded, turn, destroyed;
static _Thread_local long own;

static void destroy(void *p)
{
	free(p);
	__atomic_add_fetch(&destroyed, 1, __ATOMIC_SEQ_CST);
}

static void make_key(void)
{
	pthread_key_create(&key, destroy);
}

static void *work(void *arg)
{
	long id = (long)arg;

	pthread_once(&once, make_key);
	pthread_setspecific(key, malloc(100));
	pthread_barrier_wait(&barrier);
	for (int i = 0; i < 20000; i++) {
		atomic_fetch_add(&total, 1);
		own++;
	}
	pthread_mutex_lock(&lock);
	while (turn != id)
		pthread_cond_wait(&cond, &lock);
	guarded = guarded * 10 + id;
	turn++;
	pthread_cond_broadcast(&cond);
	pthread_mutex_unlock(&lock);
	pthread_rwlock_rdlock(&rw);
	pthread_rwlock_unlock(&rw);
	sem_post(&sem);
	return (void *)own;
}

static void *sleeper(void *arg)
{
	struct timespec t = {.tv_sec = 100};

	nanosleep(&t, NULL);
	return arg;
}

int main(void)
{
	pthread_t t[THREADS];
	pthread_attr_t attr;
	void *ret;
	long sum = 0;

	pthread_barrier_init(&barrier, NULL, THREADS);
	sem_init(&sem, 0, 0);
	pthread_attr_init(&attr);
	pthread_attr_setstacksize(&attr, 1 << 20);
	for (long i = 0; i < THREADS; i++)
		if (pthread_create(&t[i], i % 2 ? &attr : NULL, work, (void *)i))
			return 1;
	for (int i = 0; i < THREADS; i++)
		sem_wait(&sem);
	for (int i = 0; i < THREADS; i++) {
		pthread_join(t[i], &ret);
		sum += (long)ret;
	}
	printf("%ld %ld %ld %ld\n", atomic_load(&total), guarded, sum, destroyed);
	pthread_create(&t[0], NULL, sleeper, NULL);
	pthread_cancel(t[0]);
	pthread_join(t[0], &ret);
	printf("cancelled: %d\n", ret == PTHREAD_CANCELED);
	return 0;
}
