// SPDX-License-Identifier: Apache-2.0
package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/signal"
	"sort"
	"sync"
	"sync/atomic"
	"syscall"
	"time"
)

func worker(id int, jobs <-chan int, out chan<- int, wg *sync.WaitGroup) {
	defer wg.Done()
	for j := range jobs {
		out <- j * j
	}
	_ = id
}

func main() {
	jobs, out := make(chan int, 4), make(chan int, 100)
	var wg sync.WaitGroup
	for i := 0; i < 5; i++ {
		wg.Add(1)
		go worker(i, jobs, out, &wg)
	}
	for i := 0; i < 100; i++ {
		jobs <- i
	}
	close(jobs)
	wg.Wait()
	close(out)
	sum := 0
	for v := range out {
		sum += v
	}
	fmt.Println(sum)
	var n int64
	var mu sync.Mutex
	seen := map[int]bool{}
	for i := 0; i < 1000; i++ {
		wg.Add(1)
		go func(i int) {
			defer wg.Done()
			atomic.AddInt64(&n, int64(i))
			mu.Lock()
			seen[i%10] = true
			mu.Unlock()
		}(i)
	}
	wg.Wait()
	keys := []int{}
	for k := range seen {
		keys = append(keys, k)
	}
	sort.Ints(keys)
	fmt.Println(n, keys)
	ctx, cancel := context.WithTimeout(context.Background(), 5*time.Millisecond)
	defer cancel()
	select {
	case <-ctx.Done():
		fmt.Println(errors.Is(ctx.Err(), context.DeadlineExceeded))
	case <-time.After(time.Minute):
		fmt.Println("late")
	}
	tick := time.NewTicker(time.Millisecond)
	for i := 0; i < 3; i++ {
		<-tick.C
	}
	tick.Stop()
	c := make(chan os.Signal, 1)
	signal.Notify(c, syscall.SIGUSR1)
	syscall.Kill(syscall.Getpid(), syscall.SIGUSR1)
	fmt.Println(<-c)
	spin := make(chan bool)
	go func() {
		x := 0
		for i := 0; i < 300000000; i++ {
			x += i
		}
		spin <- x > 0
	}()
	fmt.Println(<-spin)
	r, w, _ := os.Pipe()
	go func() {
		time.Sleep(time.Millisecond)
		fmt.Fprint(w, "through a pipe")
		w.Close()
	}()
	b := make([]byte, 64)
	k, err := r.Read(b)
	fmt.Println(string(b[:k]), err)
}
