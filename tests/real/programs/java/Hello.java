// SPDX-License-Identifier: Apache-2.0
import java.util.Map;
import java.util.TreeMap;

public class Hello {
	sealed interface Shape permits Circle, Square { }
	record Circle(double r) implements Shape { }
	record Square(double side) implements Shape { }
	enum Op { ADD { int apply(int a, int b) { return a + b; } }, MUL { int apply(int a, int b) { return a * b; } };
		abstract int apply(int a, int b); }

	static String describe(Shape s) {
		if (s instanceof Circle c)
			return "circle " + c.r();
		if (s instanceof Square q)
			return "square " + q.side();
		throw new AssertionError();
	}

	public static void main(String[] args) {
		System.out.println("Hello, " + args.length + " arguments, Gr\u00fc\u00dfe");
		System.out.println(describe(new Circle(1.5)) + ", " + describe(new Square(2)));
		for (Op op : Op.values())
			System.out.printf("%s %d%n", op, op.apply(6, 7));
		Map<String, Integer> m = new TreeMap<>();
		for (String w : """
				the cat and the dog
				and the bird""".split("\\s+"))
			m.merge(w, 1, Integer::sum);
		System.out.println(m);
		var day = 3;
		System.out.println(switch (day) { case 1, 7 -> "weekend"; case 3 -> { String t = "mid"; yield t + "week"; } default -> "other"; });
		System.out.println(new TreeMap<>(System.getenv()).keySet());
	}
}
