// SPDX-License-Identifier: Apache-2.0
import java.math.*;
import java.security.MessageDigest;
import java.security.SecureRandom;
import java.util.*;
import javax.crypto.Cipher;
import javax.crypto.Mac;
import javax.crypto.spec.SecretKeySpec;

public class Numbers {
	public static void main(String[] args) throws Exception {
		BigInteger f = BigInteger.ONE;
		for (int i = 2; i <= 120; i++)
			f = f.multiply(BigInteger.valueOf(i));
		System.out.println(f + " " + f.bitLength());
		System.out.println(new BigDecimal(1).divide(new BigDecimal(7), new MathContext(60)) + " " + new BigDecimal("2").sqrt(new MathContext(50)));
		System.out.println(BigInteger.TWO.pow(521).subtract(BigInteger.ONE).isProbablePrime(20) + " " + BigInteger.TEN.modPow(f, BigInteger.valueOf(97)));
		System.out.println(Math.fma(2.0, 3.0, 4.0) + " " + StrictMath.sin(1) + " " + Double.toHexString(0.1) + " " + (0.1f + 0.2f) + " " + Integer.MAX_VALUE + 1);
		Random r = new Random(42);
		System.out.println(r.nextInt(1000) + " " + r.nextGaussian() + " " + r.nextLong());
		for (String h : new String[] { "MD5", "SHA-256", "SHA3-256" })
			System.out.println(h + " " + HexFormat.of().formatHex(MessageDigest.getInstance(h).digest("sandgate".getBytes())));
		Mac mac = Mac.getInstance("HmacSHA256");
		mac.init(new SecretKeySpec(new byte[] { 1, 2 }, "HmacSHA256"));
		System.out.println(HexFormat.of().formatHex(mac.doFinal("m".getBytes())));
		Cipher c = Cipher.getInstance("AES/ECB/PKCS5Padding");
		c.init(Cipher.ENCRYPT_MODE, new SecretKeySpec(new byte[16], "AES"));
		System.out.println(HexFormat.of().formatHex(c.doFinal("block".getBytes())));
		byte[] b = new byte[16];
		new SecureRandom().nextBytes(b);
		System.out.println(b.length + " " + (UUID.randomUUID().version()));
	}
}
