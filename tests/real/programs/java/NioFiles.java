// SPDX-License-Identifier: Apache-2.0
import java.io.*;
import java.nio.*;
import java.nio.channels.*;
import java.nio.charset.StandardCharsets;
import java.nio.file.*;
import java.nio.file.attribute.*;
import java.util.*;
import java.util.stream.*;

public class NioFiles {
	public static void main(String[] args) throws Exception {
		Path root = Path.of("tree");
		Files.createDirectories(root.resolve("a/b"));
		for (int i = 0; i < 5; i++)
			Files.writeString(root.resolve("a/b/f" + i), "line\n".repeat(i));
		Files.move(root.resolve("a/b/f4"), root.resolve("moved"), StandardCopyOption.ATOMIC_MOVE);
		Files.copy(root.resolve("moved"), root.resolve("copy"));
		Files.createSymbolicLink(root.resolve("link"), Path.of("copy"));
		try (Stream<Path> w = Files.walk(root)) {
			System.out.println(w.map(Path::toString).sorted().toList());
		}
		System.out.println(Files.readAllLines(root.resolve("link")).size() + " " + Files.isSymbolicLink(root.resolve("link")));
		Files.setPosixFilePermissions(root.resolve("copy"), PosixFilePermissions.fromString("rw-------"));
		PosixFileAttributes at = Files.readAttributes(root.resolve("copy"), PosixFileAttributes.class);
		System.out.println(PosixFilePermissions.toString(at.permissions()) + " " + at.size() + " " + at.isRegularFile());
		Files.setLastModifiedTime(root.resolve("copy"), FileTime.fromMillis(1000000000000L));
		System.out.println(Files.getLastModifiedTime(root.resolve("copy")));
		try (FileChannel ch = FileChannel.open(Path.of("map"), StandardOpenOption.CREATE, StandardOpenOption.READ, StandardOpenOption.WRITE)) {
			MappedByteBuffer m = ch.map(FileChannel.MapMode.READ_WRITE, 0, 1 << 16);
			m.putLong(8, 0x1122334455667788L);
			m.force();
			ByteBuffer b = ByteBuffer.allocateDirect(16);
			System.out.println(ch.read(b, 8) + " " + Long.toHexString(b.flip().getLong()));
			try (FileLock l = ch.tryLock()) {
				System.out.println(l.isValid());
			}
			ch.truncate(100);
			try (FileChannel to = FileChannel.open(Path.of("to"), StandardOpenOption.CREATE, StandardOpenOption.WRITE)) {
				System.out.println(ch.transferTo(0, 100, to) + " " + to.size());
			}
		}
		try (RandomAccessFile raf = new RandomAccessFile("raf", "rw")) {
			raf.setLength(5000);
			raf.seek(4000);
			raf.writeUTF("\u00fcber");
			raf.seek(4000);
			System.out.println(raf.readUTF() + " " + raf.length());
		}
		try (ObjectOutputStream o = new ObjectOutputStream(new FileOutputStream("ser"))) {
			o.writeObject(new ArrayList<>(List.of(1, "two")));
		}
		try (ObjectInputStream in = new ObjectInputStream(new BufferedInputStream(new FileInputStream("ser")))) {
			System.out.println(in.readObject());
		}
		Path tmp = Files.createTempFile("pre", ".suf");
		System.out.println(Files.size(tmp) + " " + Files.deleteIfExists(tmp) + " " + Files.getFileStore(root).getTotalSpace() / Long.MAX_VALUE);
		File f = new File("old/style/dir");
		System.out.println(f.mkdirs() + " " + f.exists() + " " + f.canWrite() + " " + new File(".").getCanonicalFile().isDirectory());
		try {
			Files.newInputStream(Path.of("missing"));
		} catch (NoSuchFileException e) {
			System.out.println("missing: " + e.getMessage());
		}
		Files.walkFileTree(root, new SimpleFileVisitor<>() {
			public FileVisitResult visitFile(Path p, BasicFileAttributes a) throws IOException {
				Files.delete(p);
				return FileVisitResult.CONTINUE;
			}
			public FileVisitResult postVisitDirectory(Path p, IOException e) throws IOException {
				Files.delete(p);
				return FileVisitResult.CONTINUE;
			}
		});
		System.out.println(Files.exists(root) + " " + new String(Files.readAllBytes(Path.of("map")), StandardCharsets.ISO_8859_1).length());
	}
}
