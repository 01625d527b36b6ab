// SPDX-License-Identifier: Apache-2.0

import java.lang.management.ManagementFactory;
import java.lang.management.ThreadMXBean;
import java.util.concurrent.ForkJoinPool;
import java.util.stream.IntStream;

/**
 * Divides a piece of work among the common pool, twice a second: eight parts, each of so
 * many milliseconds of CPU time. Says how many processors the machine believes in and how
 * many workers the pool has, and "ready" when it has done so long enough to be compiled.
 */
class Work {
    private static final ThreadMXBean THREADS = ManagementFactory.getThreadMXBean();

    public static void main(String[] args) throws InterruptedException {
        long part = Long.parseLong(args[0]) * 1_000_000;
        System.out.println("processors " + Runtime.getRuntime().availableProcessors());
        System.out.println("workers " + ForkJoinPool.commonPool().getParallelism());
        for (int tick = 0; ; tick++) {
            IntStream.range(0, 8).parallel().forEach(i -> burn(part));
            if (tick == 4) {
                System.out.println("ready");
            }
            Thread.sleep(500);
        }
    }

    private static void burn(long cpu) {
        for (long end = THREADS.getCurrentThreadCpuTime() + cpu; THREADS.getCurrentThreadCpuTime() < end; ) {
            Thread.onSpinWait();
        }
    }
}
