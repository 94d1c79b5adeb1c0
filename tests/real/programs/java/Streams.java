// SPDX-License-Identifier: Apache-2.0
import java.util.*;
import java.util.function.*;
import java.util.stream.*;

public class Streams {
	record Person(String name, int age, String city) { }

	public static void main(String[] args) {
		List<Person> people = IntStream.range(0, 200).mapToObj(i -> new Person("p" + i, i % 60, "c" + i % 7)).toList();
		Map<String, Double> ages = people.stream().collect(Collectors.groupingBy(Person::city, TreeMap::new, Collectors.averagingInt(Person::age)));
		System.out.println(ages);
		System.out.println(IntStream.rangeClosed(1, 200000).parallel().filter(Streams::prime).count());
		System.out.println(people.parallelStream().mapToInt(Person::age).summaryStatistics());
		System.out.println(Stream.iterate(1L, x -> x * 3).limit(10).map(Long::toHexString).collect(Collectors.joining(",", "[", "]")));
		System.out.println(people.stream().sorted(Comparator.comparing(Person::age).reversed().thenComparing(Person::name)).limit(3).toList());
		Supplier<Optional<String>> s = () -> people.stream().map(Person::name).filter(n -> n.endsWith("99")).findFirst();
		System.out.println(s.get().orElse("none"));
		System.out.println(Stream.of("a,b", "c").flatMap(x -> Arrays.stream(x.split(","))).reduce("", String::concat));
		int[] a = new Random(5).ints(50000, 0, 1000000).toArray();
		Arrays.parallelSort(a);
		System.out.println(a[0] + " " + a[25000] + " " + Arrays.hashCode(a));
	}

	static boolean prime(int n) {
		for (int d = 2; d * d <= n; d++)
			if (n % d == 0)
				return false;
		return n > 1;
	}
}
