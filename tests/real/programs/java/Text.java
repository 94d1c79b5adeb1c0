// SPDX-License-Identifier: Apache-2.0
import java.nio.charset.*;
import java.text.*;
import java.time.*;
import java.time.format.*;
import java.util.*;
import java.util.regex.*;

public class Text {
	public static void main(String[] args) throws Exception {
		Matcher m = Pattern.compile("(?<key>\\w+)\\s*=\\s*(?<val>\"[^\"]*\"|\\S+)").matcher("a = 1 b=\"two words\" c= 3");
		while (m.find())
			System.out.println(m.group("key") + " -> " + m.group("val") + " @" + m.start());
		System.out.println("x1y22z".replaceAll("[0-9]+", "#") + " " + Arrays.toString("a:b::c".split(":")));
		System.out.println(String.format(Locale.GERMANY, "%,.2f %08d %-6s| %e", 1234567.891, 42, "ab", 12345.678));
		System.out.println(Charset.defaultCharset() + " " + Arrays.toString("\u00e9\u20ac".getBytes(StandardCharsets.UTF_8)));
		ZonedDateTime t = LocalDateTime.of(2024, 3, 31, 1, 30).atZone(ZoneId.of("Europe/Berlin"));
		System.out.println(t.plusHours(1) + " " + t.withZoneSameInstant(ZoneId.of("Asia/Kolkata")).format(DateTimeFormatter.ISO_OFFSET_DATE_TIME));
		System.out.println(Period.between(LocalDate.of(2000, 2, 29), LocalDate.of(2024, 3, 1)) + " " + Duration.ofMillis(3723004));
		System.out.println(DateTimeFormatter.ofPattern("EEEE d MMMM yyyy", Locale.FRENCH).format(LocalDate.of(2024, 2, 29)));
		System.out.println(new MessageFormat("{0} has {1,number,integer}", Locale.US).format(new Object[] { "x", 1234 }));
		System.out.println(new DecimalFormat("#,##0.00", DecimalFormatSymbols.getInstance(Locale.US)).format(98765.4321));
		List<String> l = new ArrayList<>(List.of("z", "\u00e4", "a", "Z"));
		l.sort(Collator.getInstance(Locale.GERMAN));
		System.out.println(l + " " + Normalizer.normalize("\u00e9", Normalizer.Form.NFD).length());
		StringBuilder sb = new StringBuilder();
		new Formatter(sb).format("%b %c %x %s", true, 'c', 255, Optional.empty());
		System.out.println(sb.reverse());
		System.out.println("tschuess".chars().filter(c -> c == 's').count() + " " + "  trim ".strip() + "|" + "ab".compareTo("b"));
		System.out.println(Base64.getEncoder().encodeToString("sandgate".getBytes()) + " " + UUID.nameUUIDFromBytes(new byte[] { 1 }));
	}
}
