// SPDX-License-Identifier: Apache-2.0
// sg-real: stdin="3 4 +\n2 3 4 * +\n1 +\n" exit=9
use std::io::{self, BufRead, Write};

fn eval(line: &str) -> Option<i64> {
    let mut st = vec![];
    for t in line.split_whitespace() {
        let v = match t {
            "+" => st.pop()? + st.pop()?,
            "*" => st.pop()? * st.pop()?,
            n => n.parse().ok()?,
        };
        st.push(v);
    }
    st.pop()
}

fn main() {
    let out = io::stdout();
    let mut out = out.lock();
    for line in io::stdin().lock().lines() {
        match eval(&line.unwrap()) {
            Some(v) => writeln!(out, "= {}", v).unwrap(),
            None => {
                out.flush().unwrap();
                std::process::exit(9);
            }
        }
    }
}
