# SPDX-License-Identifier: Apache-2.0
import asyncio
import signal


async def work(n):
    await asyncio.sleep(0.001 * (n % 3))
    return n * n


async def pipeline():
    queue = asyncio.Queue(3)
    out = []

    async def produce():
        for i in range(20):
            await queue.put(i)
        await queue.put(None)

    async def consume():
        while (item := await queue.get()) is not None:
            out.append(item)

    await asyncio.gather(produce(), consume())
    return sum(out)


async def main():
    print(await asyncio.gather(*(work(i) for i in range(10))))
    print(await pipeline())
    try:
        await asyncio.wait_for(asyncio.sleep(60), 0.01)
    except asyncio.TimeoutError:
        print("timeout")
    print(await asyncio.to_thread(lambda: sum(range(1000))))
    async with asyncio.TaskGroup() as group:
        tasks = [group.create_task(work(i)) for i in range(3)]
    print([t.result() for t in tasks])
    loop = asyncio.get_running_loop()
    got = loop.create_future()
    loop.add_signal_handler(signal.SIGUSR1, got.set_result, "usr1")
    signal.raise_signal(signal.SIGUSR1)
    print(await got)
    task = asyncio.create_task(asyncio.sleep(60))
    await asyncio.sleep(0)
    task.cancel()
    try:
        await task
    except asyncio.CancelledError:
        print("cancelled")


asyncio.run(main())
