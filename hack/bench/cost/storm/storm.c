// SPDX-License-Identifier: Apache-2.0
// Processes, as fast as they can be made or at a rate.
// In C, because a process made by vfork shares its parent's memory, which no Go
// program allows for. Without STORM_HOW it does nothing: it is its own "true".
//
// Environment: STORM_HOW: fork (children that end at once) or exec (children that
// execute this file first); STORM_SECONDS; STORM_RATE: a second's, 0 for as many as can
// be. Prints how many it made and how many ns that took. Its arguments are those of whom
// it stands in for.
#define _GNU_SOURCE
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

static long long now(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return t.tv_sec * 1000000000LL + t.tv_nsec;
}

static int child(int execs)
{
	static char *const argv[] = {"true", NULL}, *const environment[] = {NULL};
	pid_t pid = vfork();

	if (pid < 0)
		return 0;
	if (!pid) {
		if (execs)
			execve("/proc/self/exe", argv, environment);
		_exit(0);
	}
	return waitpid(pid, NULL, 0) == pid;
}

int main(void)
{
	const char *how = getenv("STORM_HOW"), *seconds = getenv("STORM_SECONDS"), *rate = getenv("STORM_RATE");
	long long began = now(), until, made = 0;

	if (!how || !seconds || !rate)
		return 0;
	until = began + (long long)(atof(seconds) * 1e9);
	for (long long t = began; t < until; t = now()) {
		if (atof(rate) > 0 && made > (t - began) * atof(rate) / 1e9) {
			usleep(200);
			continue;
		}
		if (!child(!strcmp(how, "exec")))
			return 1;
		made++;
	}
	printf("%lld %lld\n", made, now() - began);
	return 0;
}
