// SPDX-License-Identifier: Apache-2.0
// sg-real: mode=javac
import java.lang.invoke.*;
import java.lang.reflect.*;
import java.util.*;
import java.util.function.*;

interface Account {
	String id();
	default String show() {
		return id() + ":" + balance();
	}
	long balance();
}

abstract class Base implements Account {
	protected long cents;
	private final String id;
	Base(String id) {
		this.id = id;
	}
	public String id() {
		return id;
	}
	public long balance() {
		return cents;
	}
}

class Savings extends Base {
	Savings(String id, long c) {
		super(id);
		cents = c;
	}
	@Deprecated
	public void interest(int pct) {
		cents += cents * pct / 100;
	}
}

class Poor extends Exception {
	Poor(String m) {
		super(m);
	}
}

public class Bank {
	static <T extends Comparable<T>> T best(Collection<? extends T> c) {
		T b = null;
		for (T t : c)
			if (b == null || t.compareTo(b) > 0)
				b = t;
		return b;
	}

	static void pay(Base from, long n) throws Poor {
		if (from.cents < n)
			throw new Poor(from.id() + " lacks " + (n - from.cents));
		from.cents -= n;
	}

	public static void main(String[] args) throws Throwable {
		Savings s = new Savings("s1", 10000);
		Method m = Savings.class.getMethod("interest", int.class);
		m.invoke(s, 5);
		System.out.println(s.show() + " " + m.isAnnotationPresent(Deprecated.class));
		try {
			pay(s, 99999);
		} catch (Poor e) {
			System.out.println(e.getMessage());
		}
		MethodHandle mh = MethodHandles.lookup().findVirtual(Account.class, "id", MethodType.methodType(String.class));
		System.out.println((String) mh.invoke((Account) s));
		Account proxy = (Account) Proxy.newProxyInstance(Bank.class.getClassLoader(), new Class<?>[] { Account.class },
			(p, me, a) -> me.getName().equals("balance") ? (Object) 7L : "proxied");
		System.out.println(proxy.id() + " " + proxy.balance() + " " + best(List.of(3, 9, 4)));
		Function<Integer, Function<Integer, Integer>> add = a -> b -> a + b;
		System.out.println(add.apply(40).apply(2));
		int[][] grid = new int[50][50];
		for (int r = 0; r < 300; r++)
			for (int i = 0; i < 50; i++)
				for (int j = 0; j < 50; j++)
					grid[i][j] += i * j ^ r;
		System.out.println(Arrays.deepHashCode(grid));
		Iterator<Integer> it = new Iterator<>() {
			int n = 3;
			public boolean hasNext() {
				return n > 0;
			}
			public Integer next() {
				return n--;
			}
		};
		while (it.hasNext())
			System.out.print(it.next() + (it.hasNext() ? "," : "\n"));
	}
}
