// SPDX-License-Identifier: Apache-2.0
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.*;
import java.util.concurrent.atomic.AtomicLong;
import java.util.concurrent.locks.ReentrantLock;

public class Threads {
	static int counter;

	public static void main(String[] args) throws Exception {
		Thread[] ts = new Thread[8];
		Object lock = new Object();
		for (int i = 0; i < ts.length; i++) {
			ts[i] = new Thread(() -> {
				for (int k = 0; k < 10000; k++)
					synchronized (lock) {
						counter++;
					}
			}, "t" + i);
			ts[i].start();
		}
		for (Thread t : ts)
			t.join();
		System.out.println(counter);
		ExecutorService pool = Executors.newFixedThreadPool(4);
		List<Future<Long>> fs = new ArrayList<>();
		for (int i = 0; i < 20; i++) {
			final int n = i;
			fs.add(pool.submit(() -> (long) n * n));
		}
		long s = 0;
		for (Future<Long> f : fs)
			s += f.get();
		System.out.println(s);
		CountDownLatch latch = new CountDownLatch(5);
		AtomicLong al = new AtomicLong();
		ReentrantLock rl = new ReentrantLock(true);
		for (int i = 0; i < 5; i++)
			pool.execute(() -> {
				rl.lock();
				try {
					al.addAndGet(2);
				} finally {
					rl.unlock();
				}
				latch.countDown();
			});
		System.out.println(latch.await(30, TimeUnit.SECONDS) + " " + al.get());
		pool.shutdown();
		System.out.println(pool.awaitTermination(30, TimeUnit.SECONDS));
		ScheduledExecutorService se = Executors.newScheduledThreadPool(1);
		System.out.println(se.schedule(() -> "scheduled", 5, TimeUnit.MILLISECONDS).get());
		se.shutdownNow();
		System.out.println(CompletableFuture.supplyAsync(() -> 20).thenCombine(CompletableFuture.supplyAsync(() -> 22), Integer::sum).get());
		BlockingQueue<Integer> q = new ArrayBlockingQueue<>(2);
		Thread p = new Thread(() -> {
			try {
				for (int i = 0; i < 50; i++)
					q.put(i);
			} catch (InterruptedException e) {
				System.out.println("interrupted");
			}
		});
		p.setDaemon(true);
		p.setPriority(Thread.MAX_PRIORITY);
		p.start();
		int sum = 0;
		for (int i = 0; i < 40; i++)
			sum += q.take();
		Thread.sleep(5);
		p.interrupt();
		p.join();
		System.out.println(sum);
		Runtime.getRuntime().addShutdownHook(new Thread(() -> System.out.println("hook")));
	}
}
