create table if not exists t(id integer primary key, a int, b text);
begin;
with recursive c(x) as (select 1 union all select x+1 from c where x<5000)
  insert into t(a,b) select (x*7919)%10007, printf('row-%05d',x) from c;
commit;
create index if not exists ta on t(a);
select count(*), sum(a), max(b) from t;
select a, count(*) n, min(b) from t group by a order by n desc, a limit 3;
select hex(substr(b,1,3)), round(avg(a),3) from t where a between 100 and 200;
with recursive f(n,a,b) as (select 0,0,1 union all select n+1,b,a+b from f where n<80) select a from f where n=80;
