// SPDX-License-Identifier: Apache-2.0
// sg-real: exit=101
struct Noisy(&'static str);

impl Drop for Noisy {
    fn drop(&mut self) {
        println!("dropped {}", self.0);
    }
}

fn main() {
    let _a = Noisy("first");
    let caught = std::panic::catch_unwind(|| {
        let _b = Noisy("inside");
        panic!("caught");
    });
    println!("{}", caught.is_err());
    let v: Vec<i32> = Vec::new();
    let i = std::env::args().count();
    println!("{}", v[i]);
}
