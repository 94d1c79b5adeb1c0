// SPDX-License-Identifier: Apache-2.0
// sg-real: stdin="5\n3 1 4 1 5\nwords after\nlast line without newline"
import java.io.*;
import java.util.*;

public class Stdin {
	public static void main(String[] args) throws IOException {
		BufferedReader in = new BufferedReader(new InputStreamReader(System.in));
		int n = Integer.parseInt(in.readLine());
		StringTokenizer st = new StringTokenizer(in.readLine());
		int sum = 0;
		while (st.hasMoreTokens())
			sum += Integer.parseInt(st.nextToken());
		System.out.println(n + " " + sum);
		Scanner sc = new Scanner(in);
		while (sc.hasNextLine())
			System.out.println("[" + sc.nextLine() + "]");
		PrintStream p = new PrintStream(new FileOutputStream(FileDescriptor.out), false, "UTF-8");
		for (int i = 0; i < 2000; i++)
			p.println("row " + i);
		p.flush();
		System.err.println("to stderr");
	}
}
