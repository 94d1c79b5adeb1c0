// SPDX-License-Identifier: Apache-2.0
// sg-real: stdin="copied from one descriptor to another\nwithout looking\n"
use std::fs::File;
use std::io;

fn main() -> io::Result<()> {
    let n = io::copy(&mut io::stdin(), &mut io::stdout())?;
    println!("{}", n);
    std::fs::write("a", "from a file\n")?;
    println!("{}", io::copy(&mut File::open("a")?, &mut io::stdout())?);
    println!("{}", io::copy(&mut File::open("a")?, &mut File::create("b")?)?);
    Ok(())
}
