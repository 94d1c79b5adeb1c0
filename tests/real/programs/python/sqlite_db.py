# SPDX-License-Identifier: Apache-2.0
import sqlite3
import threading

db = sqlite3.connect("t.db")
print(db.execute("pragma journal_mode=wal").fetchone())
db.execute("create table t(id integer primary key, name text unique, n real)")
with db:
    db.executemany("insert into t(name, n) values(?, ?)", ((f"row{i}", i / 4) for i in range(2000)))
try:
    with db:
        db.execute("insert into t(name) values('new')")
        db.execute("insert into t(name) values('row1')")
except sqlite3.IntegrityError as e:
    print("rolled back:", e)
print(db.execute("select count(*), sum(n), max(name) from t").fetchone())
db.create_function("rev", 1, lambda s: s[::-1])
print(db.execute("select rev(name) from t order by id limit 3").fetchall())


def reader(out):
    other = sqlite3.connect("t.db", timeout=30)
    out.append(other.execute("select avg(n) from t").fetchone()[0])
    other.close()


out = []
t = threading.Thread(target=reader, args=(out,))
t.start()
t.join()
print(out)
print(db.execute("pragma wal_checkpoint(truncate)").fetchone()[0])
db.execute("delete from t where id % 2")
db.commit()
db.execute("vacuum")
copy = sqlite3.connect("copy.db")
db.backup(copy)
print(copy.execute("select count(*) from t").fetchone(), copy.execute("pragma integrity_check").fetchone())
copy.execute("pragma temp_store=1")
copy.execute("create temp table big as select t1.id a from t t1, (select 1 union select 2) t2 order by 1 desc")
print(copy.execute("select count(*) from big").fetchone())
copy.close()
db.close()
