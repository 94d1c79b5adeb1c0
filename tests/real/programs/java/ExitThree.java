// SPDX-License-Identifier: Apache-2.0
// sg-real: exit=3
public class ExitThree {
	public static void main(String[] args) throws Exception {
		Runtime.getRuntime().addShutdownHook(new Thread(() -> System.out.println("hook runs")));
		Thread t = new Thread(() -> {
			System.out.println("leaving from a thread");
			System.exit(3);
		});
		t.start();
		Thread.sleep(60000);
		System.out.println("not reached");
	}
}
