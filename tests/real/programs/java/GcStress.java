// SPDX-License-Identifier: Apache-2.0
// sg-real: jvm="-Xmx96m -XX:+UseG1GC"
import java.lang.ref.*;
import java.util.*;

public class GcStress {
	static byte[][] keep = new byte[512][];

	public static void main(String[] args) throws Exception {
		long total = 0;
		Map<Integer, String> m = new HashMap<>();
		for (int i = 0; i < 400000; i++) {
			byte[] b = new byte[200 + i % 3000];
			b[0] = (byte) i;
			keep[i % keep.length] = b;
			total += b.length;
			m.put(i % 5000, "value " + i);
		}
		System.out.println(total + " " + m.size() + " " + m.get(77));
		WeakReference<Object> w = new WeakReference<>(new Object());
		for (int i = 0; i < 20 && w.get() != null; i++)
			System.gc();
		System.out.println(w.get() == null);
		Cleaner cleaner = Cleaner.create();
		Object[] o = { new Object() };
		Object done = new Object();
		boolean[] cleaned = { false };
		cleaner.register(o[0], () -> { synchronized (done) { cleaned[0] = true; done.notifyAll(); } });
		o[0] = null;
		synchronized (done) {
			for (int i = 0; i < 100 && !cleaned[0]; i++) {
				System.gc();
				done.wait(50);
			}
		}
		System.out.println(cleaned[0] + " " + (Runtime.getRuntime().maxMemory() <= 96L << 20) + " " + (Runtime.getRuntime().availableProcessors() > 0));
	}
}
