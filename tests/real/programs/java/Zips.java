// SPDX-License-Identifier: Apache-2.0
import java.io.*;
import java.nio.charset.StandardCharsets;
import java.nio.file.*;
import java.util.*;
import java.util.jar.*;
import java.util.zip.*;

public class Zips {
	public static void main(String[] args) throws Exception {
		byte[] data = "some text to compress. ".repeat(2000).getBytes();
		try (ZipOutputStream z = new ZipOutputStream(new FileOutputStream("t.zip"))) {
			for (int i = 0; i < 4; i++) {
				z.putNextEntry(new ZipEntry("dir/e" + i));
				z.write(data, 0, 1000 * i);
				z.closeEntry();
			}
		}
		try (ZipFile z = new ZipFile("t.zip")) {
			z.stream().forEach(e -> System.out.println(e.getName() + " " + e.getSize() + " " + e.getCrc()));
			System.out.println(new String(z.getInputStream(z.getEntry("dir/e1")).readNBytes(9)));
		}
		Manifest mf = new Manifest();
		mf.getMainAttributes().put(Attributes.Name.MANIFEST_VERSION, "1.0");
		mf.getMainAttributes().putValue("X-Test", "yes");
		try (JarOutputStream j = new JarOutputStream(new FileOutputStream("t.jar"), mf)) {
			j.putNextEntry(new JarEntry("res.properties"));
			j.write("k=v\u00e9\n".getBytes(StandardCharsets.ISO_8859_1));
			j.closeEntry();
		}
		try (JarFile j = new JarFile("t.jar")) {
			Properties p = new Properties();
			p.load(j.getInputStream(j.getEntry("res.properties")));
			System.out.println(p + " " + j.getManifest().getMainAttributes().getValue("X-Test"));
		}
		try (FileSystem fs = FileSystems.newFileSystem(Path.of("t.zip"))) {
			Files.writeString(fs.getPath("/added"), "added");
			System.out.println(Files.exists(fs.getPath("/dir/e2")));
		}
		ByteArrayOutputStream bo = new ByteArrayOutputStream();
		try (GZIPOutputStream g = new GZIPOutputStream(bo)) {
			g.write(data);
		}
		System.out.println(Arrays.equals(new GZIPInputStream(new ByteArrayInputStream(bo.toByteArray())).readAllBytes(), data));
		CRC32 crc = new CRC32();
		crc.update(data);
		System.out.println(crc.getValue() + " " + new ZipFile("t.zip").size());
	}
}
