// SPDX-License-Identifier: Apache-2.0
// sg-real: mode=emit
pub fn gcd(mut a: u64, mut b: u64) -> u64 {
    while b != 0 {
        let t = a % b;
        a = b;
        b = t;
    }
    a
}

fn main() {
    println!("{}", gcd(48, 36));
}
