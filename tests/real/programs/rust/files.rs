// SPDX-License-Identifier: Apache-2.0
use std::env;
use std::fs::{self, File, OpenOptions};
use std::io::{self, prelude::*, BufReader, BufWriter, SeekFrom};
use std::os::unix::fs::{symlink, FileExt, PermissionsExt};
use std::path::Path;

fn visit(dir: &Path, out: &mut Vec<String>) -> io::Result<()> {
    for e in fs::read_dir(dir)? {
        let p = e?.path();
        out.push(p.display().to_string());
        if p.is_dir() {
            visit(&p, out)?;
        }
    }
    Ok(())
}

fn main() -> io::Result<()> {
    fs::create_dir_all("t/a/b")?;
    let mut w = BufWriter::new(File::create("t/lines")?);
    for i in 0..2000 {
        writeln!(w, "line {}", i)?;
    }
    w.flush()?;
    let r = BufReader::new(File::open("t/lines")?);
    println!("{}", r.lines().filter(|l| l.as_ref().unwrap().ends_with('7')).count());
    fs::copy("t/lines", "t/a/copy")?;
    fs::rename("t/a/copy", "t/a/b/moved")?;
    symlink("b/moved", "t/a/link")?;
    println!("{:?} {}", fs::read_link("t/a/link")?, fs::metadata("t/a/link")?.len());
    fs::set_permissions("t/lines", fs::Permissions::from_mode(0o600))?;
    println!("{:o}", fs::metadata("t/lines")?.permissions().mode() & 0o777);
    let mut f = OpenOptions::new().read(true).write(true).append(false).open("t/lines")?;
    f.seek(SeekFrom::End(-5))?;
    let mut s = String::new();
    f.read_to_string(&mut s)?;
    f.set_len(10)?;
    f.sync_all()?;
    let mut b = [0; 4];
    f.read_exact_at(&mut b, 1)?;
    println!("{:?} {:?} {}", s, std::str::from_utf8(&b).unwrap(), f.metadata()?.len());
    let mut all = vec![];
    visit(Path::new("t"), &mut all)?;
    all.sort();
    println!("{:?}", all);
    println!("{:?}", File::open("t/none").map_err(|e| e.kind()).err());
    println!("{} {}", env::temp_dir() == Path::new(&env::var("TMPDIR").unwrap()), env::current_dir()?.is_absolute());
    fs::remove_dir_all("t")?;
    println!("{}", Path::new("t").exists());
    Ok(())
}
