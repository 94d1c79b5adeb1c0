// SPDX-License-Identifier: Apache-2.0
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{mpsc, Arc, Barrier, Condvar, Mutex, RwLock};
use std::thread;
use std::time::Duration;

fn main() {
    let count = Arc::new(AtomicUsize::new(0));
    let sum = Arc::new(Mutex::new(0u64));
    let barrier = Arc::new(Barrier::new(6));
    let handles: Vec<_> = (0..6u64)
        .map(|i| {
            let (count, sum, barrier) = (count.clone(), sum.clone(), barrier.clone());
            thread::Builder::new()
                .name(format!("w{}", i))
                .stack_size(128 * 1024)
                .spawn(move || {
                    barrier.wait();
                    for k in 0..5000 {
                        count.fetch_add(1, Ordering::SeqCst);
                        if k % 100 == 0 {
                            *sum.lock().unwrap() += i;
                        }
                    }
                    thread::current().name().unwrap().len()
                })
                .unwrap()
        })
        .collect();
    let names: usize = handles.into_iter().map(|h| h.join().unwrap()).sum();
    println!("{} {} {}", count.load(Ordering::SeqCst), sum.lock().unwrap(), names);
    let (tx, rx) = mpsc::sync_channel(2);
    for id in 0..3 {
        let tx = tx.clone();
        thread::spawn(move || (0..10).for_each(|n| tx.send(id * 100 + n).unwrap()));
    }
    drop(tx);
    let mut got: Vec<i32> = rx.iter().collect();
    got.sort_unstable();
    println!("{:?}", got);
    let mut data = vec![1, 2, 3, 4];
    thread::scope(|s| {
        for x in data.iter_mut() {
            s.spawn(move || *x *= *x);
        }
    });
    println!("{:?}", data);
    let pair = Arc::new((Mutex::new(false), Condvar::new()));
    let other = pair.clone();
    thread::spawn(move || {
        thread::sleep(Duration::from_millis(2));
        *other.0.lock().unwrap() = true;
        other.1.notify_one();
    });
    let ready = pair.1.wait_while(pair.0.lock().unwrap(), |r| !*r).unwrap();
    println!("{} {}", *ready, RwLock::new(5).read().unwrap());
    println!("{}", thread::spawn(|| if true { panic!("in a thread") }).join().is_err());
    println!("{}", thread::available_parallelism().is_ok());
}
