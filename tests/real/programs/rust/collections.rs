// SPDX-License-Identifier: Apache-2.0
// sg-real: cflags="-O"
use std::collections::{BTreeMap, BinaryHeap, HashMap, HashSet, VecDeque};
use std::fmt;
use std::rc::Rc;

#[derive(Debug, Clone, PartialEq)]
enum Shape {
    Circle { r: f64 },
    Square(f64),
    Unit,
}

trait Area {
    fn area(&self) -> f64;
    fn twice(&self) -> f64 {
        self.area() * 2.0
    }
}

impl Area for Shape {
    fn area(&self) -> f64 {
        match self {
            Shape::Circle { r } => 3.0 * r * r,
            Shape::Square(s) => s * s,
            Shape::Unit => 1.0,
        }
    }
}

struct Matrix([[i64; 2]; 2]);

impl std::ops::Mul for &Matrix {
    type Output = Matrix;
    fn mul(self, o: &Matrix) -> Matrix {
        let mut m = [[0; 2]; 2];
        for i in 0..2 {
            for j in 0..2 {
                m[i][j] = (0..2).map(|k| self.0[i][k] * o.0[k][j] % 1_000_007).sum::<i64>() % 1_000_007;
            }
        }
        Matrix(m)
    }
}

impl fmt::Display for Matrix {
    fn fmt(&self, f: &mut fmt::Formatter) -> fmt::Result {
        write!(f, "{:?}", self.0)
    }
}

fn parse(s: &str) -> Result<i32, std::num::ParseIntError> {
    Ok(s.trim().parse::<i32>()? * 2)
}

fn main() {
    let shapes = vec![Shape::Circle { r: 1.5 }, Shape::Square(2.0), Shape::Unit];
    let boxed: Vec<Box<dyn Area>> = shapes.iter().cloned().map(|s| Box::new(s) as Box<dyn Area>).collect();
    println!("{:?} {:.2}", shapes, boxed.iter().map(|b| b.twice()).sum::<f64>());
    let mut m = Matrix([[1, 0], [0, 1]]);
    for _ in 0..1000 {
        m = &m * &Matrix([[1, 1], [1, 0]]);
    }
    println!("{}", m);
    let mut words: HashMap<&str, usize> = HashMap::new();
    for w in "to be or not to be".split(' ') {
        *words.entry(w).or_insert(0) += 1;
    }
    println!("{:?}", words.into_iter().collect::<BTreeMap<_, _>>());
    let mut heap: BinaryHeap<_> = (0..1000u32).map(|i| i.wrapping_mul(2_654_435_761) >> 8).collect();
    let set: HashSet<_> = heap.iter().map(|x| x % 100).collect();
    println!("{:?} {}", heap.pop(), set.len());
    println!("{:?} {:?} {}", parse(" 21 "), parse("x").map_err(|e| e.to_string()), "äöü".chars().rev().collect::<String>());
    let shared = Rc::new(VecDeque::from(vec![1, 2, 3]));
    println!("{} {:?} {:#x} {:>6}|", Rc::strong_count(&Rc::clone(&shared)), shared.iter().max(), 255, "r");
}
