// SPDX-License-Identifier: Apache-2.0
// sg-real: exit=1
public class Broken {
	public static void main(String[] args) {
		int n = "not a number";
		System.out.println(n);
	}
}
