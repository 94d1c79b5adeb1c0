// SPDX-License-Identifier: Apache-2.0
// sg-real: mode=check exit=1
fn main() {
    let s = String::from("moved");
    let t = s;
    println!("{} {}", s, t);
}
