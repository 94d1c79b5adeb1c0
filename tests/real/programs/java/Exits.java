// SPDX-License-Identifier: Apache-2.0
// sg-real: exit=1 jvm=-Xmx64m
public class Exits {
	static class Res implements AutoCloseable {
		public void close() {
			System.out.println("closed");
		}
	}

	static int depth(int n) {
		return 1 + depth(n + 1);
	}

	public static void main(String[] args) throws Exception {
		try {
			depth(0);
		} catch (StackOverflowError e) {
			System.out.println("stack overflow caught");
		}
		try {
			Object o = null;
			System.out.println(o.hashCode());
		} catch (NullPointerException e) {
			System.out.println("null pointer caught");
		}
		try {
			System.out.println(1 / (args.length));
		} catch (ArithmeticException e) {
			System.out.println(e.getMessage());
		}
		try {
			long[][] all = new long[1000][];
			for (int i = 0; i < all.length; i++)
				all[i] = new long[1 << 27];
		} catch (OutOfMemoryError e) {
			System.out.println("out of memory caught");
		}
		try (Res r = new Res()) {
			throw new IllegalStateException("not caught");
		} finally {
			System.out.println("finally");
		}
	}
}
