//! Scripts that use the language widely and are sound: nothing is found in them, and they run.

use fthost::base::report;

use crate::check::{findings, project, rendered};

const MAIN: &str = "scripts/main.rhai";

/// Modules that some of them import.
const MODULES: [(&str, &str); 4] = [
    (
        "scripts/shapes.rhai",
        "export const UNIT = 2;\nconst OWN = 3;\nfn area(w, h) { w * h * global::OWN / global::OWN }\nfn twice(f, x) { f.call(f.call(x)) }\nfn maker(n) { |x| x + n }",
    ),
    (
        "scripts/methods.rhai",
        "fn string.shout() { this.to_upper() + \"!\" }\nfn int.half() { this / 2 }\nfn map.title() { this.name ?? \"nobody\" }",
    ),
    ("scripts/nested.rhai", "import \"shapes\" as shapes;\nfn square(n) { shapes::area(n, n) }"),
    ("scripts/lib/deep.rhai", "import \"std/text\" as text;\nfn line(parts) { text::join(parts, \"-\") }"),
];

#[rustfmt::skip]
const VALID: &[&str] = &[
    // switch
    "fn size(n) {\n    switch n {\n        0 => \"none\",\n        1 | 2 => \"few\",\n        4 => \"four\",\n        3..=5 if n != 4 => \"some\",\n        6..100 => \"many\",\n        _ => \"lots\"\n    }\n}\nfor n in 0..8 { print(size(n)); }",
    "let value = [1, \"a\", #{k: 1}];\nfor v in value {\n    switch type_of(v) {\n        \"i64\" => print(\"int\"),\n        \"string\" => { let t = v + \"!\"; print(t); }\n        \"map\" if v.k == 1 => print(v.k),\n        _ => ()\n    }\n}",
    "let x = 3;\nlet word = switch x { 1 => \"one\", 3 => { let w = \"th\"; w + \"ree\" }, _ => throw \"no\" };\nprint(word);",
    "let c = 'x';\nswitch c { 'a' | 'b' => print(1), 'x' => print(2), _ => print(3) }\nswitch true { true => print(\"t\"), false => print(\"f\") }\nswitch [1, 2] { [1, 2] => print(\"pair\"), _ => () }",
    // closures
    "let add = |a, b| a + b;\nlet inc = add.curry(1);\nprint(inc.call(2) + call(add, 1, 2));\nlet twice = |f, x| f.call(f.call(x));\nprint(twice.call(inc, 3));",
    "let count = 0;\nlet step = || { count += 1; count };\nstep.call();\nstep.call();\nprint(count);",
    "let counter = #{n: 0, inc: |by| this.n += by, get: || this.n};\ncounter.inc(2);\ncounter.inc(3);\nprint(counter.get());",
    "let make = |n| |x| x + n;\nlet add5 = make.call(5);\nprint(add5.call(1));\nlet compose = |f, g| |x| g.call(f.call(x));\nprint(compose.call(add5, |y| y * 2).call(1));",
    "let names = [\"b\", \"a\", \"c\"];\nnames.sort(|a, b| if a < b { -1 } else if a > b { 1 } else { 0 });\nprint(names);\nlet lens = names.map(|n| n.len());\nprint(lens.reduce(|sum, n| sum + n, 0));\nprint(names.filter(|n, i| i > 0 && n != \"\"));",
    "let f = Fn(\"double\");\nfn double(x) { x * 2 }\nprint(f.call(4));\nprint([1, 2].map(double));\nprint([1, 2].map(Fn(\"double\")));\nprint(is_def_fn(\"double\", 1));",
    "let m = #{};\nm.greet = |name| `Hello ${name}`;\nm[\"bye\"] = |name| `Bye ${name}`;\nprint(m.greet(\"you\") + m.bye(\"me\"));\nlet all = [|| 1, || 2];\nfor f in all { print(f.call()); }",
    "let items = [1, 2, 3];\nlet limit = 2;\nlet big = items.filter(|x| x >= limit);\nlet any = items.some(|x| x == limit) && items.all(|x| x > 0);\nprint(big);\nprint(any);\nitems.for_each(|i| { if this > limit { print(i); } });\nprint(items.find(|x| x > 1) ?? 0);",
    // methods and this
    "fn greet(greeting) { `${greeting} ${this.name}` }\nlet p = #{name: \"Ada\"};\nprint(p.greet(\"Hi\"));\nfn add_to(list) { list + [this] }\nlet n = 1;\nprint(n.add_to([2]));",
    "fn int.squared() { this * this }\nfn string.first() { this[0] }\nprint(4.squared());\nprint(\"abc\".first());\nfn array.second() { this[1] }\nprint([1, 2].second());",
    "import \"methods\" as methods;\nprint(\"a\".shout());\nprint(6.half());\nprint(#{name: \"x\"}.title());",
    // modules
    "import \"shapes\" as shapes;\nprint(shapes::area(2, 3) * shapes::UNIT);\nprint(shapes::twice(|x| x + 1, 1));\nlet f = shapes::maker(2);\nprint(f.call(1));",
    "import \"nested\" as nested;\nprint(nested::square(3));\nprint(nested::shapes::area(1, 2));",
    "import \"lib/deep\" as deep;\nprint(deep::line([\"a\", \"b\"]));\nif true { import \"shapes\" as s; print(s::area(1, 1)); }",
    "import \"std/text\" as text;\nfn line(parts) { text::join(parts, \", \") }\nprint(line([\"a\"]));\nlet joined = [[\"x\", \"y\"]].map(|p| text::join(p, \"\"));\nprint(joined);",
    "export const LIMIT = 3;\nexport let seen = [];\nlet inner = 1;\nexport inner as outer;\nconst OTHER = [1, 2];\nfn over(n) { n > global::LIMIT && global::OTHER.len() > 1 }\nprint(over(4));",
    // texts
    "let name = \"Ada\";\nlet n = 2;\nprint(`${name} has ${if n == 1 { \"one\" } else { `${n} (${\"two\"})` }} and ${\"a \\\"quote\\\"\"}`);\nprint(`line\nline ${#{a: [1, `${n}`]}.a[1]}`);",
    "let s = \"héllo\";\nprint(s.len());\nprint(s[1]);\nprint(s[-1]);\nprint(s.sub_string(1, 2) + s[0..2]);\ns[0] = 'H';\ns += '!';\ns += \" you\";\nprint(s.to_upper().split(\" \").len());\nfor (c, i) in s { if c == 'H' { print(i); } }",
    "let s = \"  a,b  \";\ns.trim();\ns.replace(\"a\", \"x\");\nprint(s);\nlet parts = s.split(\",\");\nparts.reverse();\nprint(parts);\ns.pad(10, '.');\ns.pad(12, \"ab\");\ns.truncate(3);\ns.make_upper();\nprint(s.contains('X') || s.contains(\"X,\"));\nprint(s.index_of(\"X\"));",
    "let raw = #\"a \"raw\" text\"#;\nprint(raw);\nlet e = \"tab\\t nl\\n uni\\u2764\";\nprint(e);\nlet c = '\\'';\nprint(c);\nprint('a'.to_int() + 'b'.to_upper().to_int());",
    // loops
    "let found = for x in 0..10 { if x * x > 20 { break x; } };\nprint(found);\nlet n = 0;\nlet last = loop { n += 1; if n == 3 { break n * 2; } };\nprint(last);\nlet w = while n > 0 { n -= 1; if n == 1 { break \"one\"; } };\nprint(w);",
    "let n = 10;\ndo { n -= 3; } while n > 0;\ndo { n += 1; } until n == 5;\nwhile n != 0 { n -= 1; if n == 2 { continue; } }\nprint(n);\nloop { n += 1; if n > 2 { return; } }",
    "for (item, index) in [\"a\", \"b\"] { print(`${index} ${item}`); }\nfor i in range(0, 10, 3) { print(i); }\nfor i in range(10, 0, -2) { print(i); }\nfor _i in 0..3 { print(\"again\"); }\nfor k in #{a: 1}.keys() { print(k); }\nfor ch in \"abc\".chars() { print(ch); }\nfor i in 0..3 { print(\"x\"); }",
    "let grid = [[1, 2], [3, 4]];\nlet sum = 0;\nfor row in grid { for cell in row { if cell == 2 { continue; } sum += cell; } }\ngrid[1][0] = 7;\ngrid[0].push(9);\nprint(sum + grid[0].len());",
    // what stands in brackets is a chain of its own
    "let n = 1;\nlet m = #{\"1\": 1, b: \"2\"};\nlet xs = [1, [2, 3], 4];\nlet s = \"a\";\nm[n.to_string()] = 2;\nprint(m[n.to_string()] + xs[s.len()][n.min(0)] + xs[(s.len())][1] + xs[0.5.to_int()]);\nprint(m?[m.b.to_upper()]);\nprint(xs[s.len()].len());",
    "let m = #{a: #{b: 1}};\nlet a = [#{b: 1}, [2, 3]];\nprint(m[\"a\"][\"b\"] + a[0][\"b\"] + a[-1][0]);\nfor i in 0..3 { m[i.to_string()] = i; }\nprint(m);",
    "fn f() { try { 5 } catch (e) { 6 } }\nprint(f());\nprint(parallel_map([1], |x| { try { x } catch { 0 } }));",
    "let text = \"a\";\nimport \"std/text\" as text;\nprint(text::plural(2, text));",
    // numbers
    "let x = 0x1f + 0b11 + 0o17 + 1_000;\nlet y = x ** 2 % 7 << 2 >> 1 & 0xff | 1 ^ 3;\nprint(y);\nprint(-x.abs() + +3);\nlet f = 1.5e3 / 2 + 7 / 2;\nprint(f.floor().to_int() + 2.0.sqrt());\nprint(7 / 2 * 2);\nprint(5.0 / 2 < 2.6);",
    "let a = 3;\nlet b = 4;\nlet mean = (a + b) / 2.0;\nlet share = a * 100 / b;\nlet pct = a.to_float() / b;\nprint(mean + share + pct);\nprint(a == 3.0);\nprint(b > 2.5 || a <= 1.0);",
    "let n = 5;\nn += 2; n -= 1; n *= 3; n /= 2; n %= 5; n **= 2; n <<= 1; n |= 1; n &= 7; n ^= 2; n >>= 1;\nprint(n);\nlet bits = n.get_bits(0, 2);\nprint(bits);\nprint(parse_int(\"12\") + parse_float(\"1.5\"));\nprint(max(1, 2) + min(1, 2.5));",
    // arrays and maps
    "let a = [1, 2, 3, 4];\na.insert(1, 9);\na.remove(0);\nlet last = a.pop();\nlet first = a.shift();\na += 5;\na += [6, 7];\nlet b = a + [8];\nprint(b.extract(1..3));\nprint(b[-1] + last + first);\nb.retain(|x| x > 3);\nb.drain(|x| x > 6);\nprint(b.is_empty() || 5 in b);\nb.splice(0, 1, [3]);",
    "let m = #{a: 1, \"b c\": 2, \"case\": 3};\nm.d = 4;\nm[\"e\"] = m[\"b c\"] + m[\"case\"];\nprint(m.keys().len() + m.values().len());\nprint(\"a\" in m);\nlet n = m + #{z: 1};\nn += #{y: 1};\nm.remove(\"a\");\nm.mixin(#{q: 1});\nm.fill_with(#{q: 2});\nprint(m?.missing?.deep ?? \"none\");\nprint(m.list?[0] ?? n.len());",
    "let deep = #{a: #{b: [1, #{c: \"x\"}]}};\ndeep.a.b[1].c += \"y\";\ndeep.a.b.push(2);\nprint(deep.a.b[1].c.len());\nlet copy = deep;\ncopy.a = ();\nprint(copy.a == () && deep.a != ());",
    "let b = blob(4, 7);\nb[0] = 255;\nprint(b.len() + b[0]);\nlet r = 1..5;\nprint(r.start + r.end);\nprint(3 in r && r.contains(4));\nlet inclusive = 0..=3;\nfor i in inclusive { print(i); }\nlet t = timestamp();\nprint(t.elapsed >= 0.0);",
    // scopes
    "let x = 1;\n{ let x = \"inner\"; print(x); }\nlet x = x + 1;\nprint(x);\nfn f(x) { let x = x * 2; x }\nprint(f(x));\nif true { let y = 1; print(y); } else { let y = 2; print(y); }",
    "let a = 1;\nlet b = { let t = a * 2; t + 1 };\nprint(b);\nlet c = if b > 2 { \"big\" } else { \"small\" };\nprint(c);\nlet d;\nd = 5;\nprint(d);\nprint(is_def_var(\"a\"));\nlet _unused = 1;",
    "fn fact(n) { if n <= 1 { 1 } else { n * fact(n - 1) } }\nfn even(n) { if n == 0 { return true; } odd(n - 1) }\nfn odd(n) { if n == 0 { return false; } even(n - 1) }\nprint(fact(5));\nprint(even(4));",
    "fn add(a) { a }\nfn add(a, b) { a + b }\nfn add(a, b, c) { add(a, b) + c }\nprint(add(1) + add(1, 2) + add(1, 2, 3));\nprivate fn helper(x) { x }\nprint(helper(1));",
    "const CONFIG = #{limit: 3, names: [\"a\"]};\nfn limit() { global::CONFIG.limit }\nfn name(i) { global::CONFIG.names[i] }\nprint(limit() + CONFIG.names.len());\nprint(name(0));\nif CONFIG.limit > 2 { const INNER = 1; print(INNER); }",
    // errors
    "fn risky(n) { if n > 1 { throw `too big: ${n}`; } n }\ntry { risky(2); } catch (e) { print(e); }\ntry { risky(3); } catch { print(\"again\"); }\nlet ok = try_it(1);\nfn try_it(n) { let r = (); try { r = risky(n); } catch (err) { r = err; } r }\nprint(ok);",
    "try { throw #{kind: \"mine\", message: \"m\"}; } catch (e) { switch e.kind { \"mine\" => print(e.message), _ => throw e } }\ntry { read_text(\"config/none.yaml\"); } catch (e) { if e.kind == \"not_found\" { print(\"gone\"); } }",
    // the host
    "let b = get_backend(\"assistant\", #{temperature: 0.5, max_tokens: 60});\nlet r = b.complete([#{role: \"user\", content: \"Hi\"}], #{system: \"Be kind.\", stop: [\"x\"]});\nprint(r.content.len() + r.usage.input_tokens);\nprint(r.finish_reason + b.name + b.model);",
    "let out = parallel_map([1, 2], #{concurrency: 4}, |n| parallel_map([n], |k| k * n));\nprint(flatten(out));\nlet base = 10;\nlet sums = parallel_map(1..=3, |n| { let own = base; own += n; own });\nprint(sums);",
    "let people = [#{id: \"a\", n: 1}, #{id: \"b\", n: 2}];\nlet run = process(people, #{checkpoint: \"data/x.jsonl\", version: |p| p.n, concurrency: 2}, |person| {\n    let dice = rng(person.id);\n    let history = [];\n    for turn in 1..=person.n { history.push(#{turn: turn, roll: dice.randint(1, 6)}); }\n    let record = #{id: person.id, history: history};\n    record.total = history.len();\n    record\n});\nprint(run.completed);",
    "process([#{id: \"a\"}], #{checkpoint: \"data/y.jsonl\"}, |item| {\n    if item.id == \"a\" { return #{id: item.id, early: true}; }\n    let record = #{id: item.id};\n    for n in 0..3 { record[`k${n}`] = n; }\n    record\n});\nlet done = load_checkpoint(\"data/y.jsonl\");\nfor id in [\"a\", \"b\"] { if id in done { continue; } print(id); }",
    "let text = render_text(\"{% if note is defined %}{{ note }}{% endif %}{{ name | default('x') }} {{ p.a }} {% for x in xs %}{{ loop.index }}{{ x.y }}{% endfor %}\", #{p: #{a: 1}, xs: [#{y: 2}]});\nprint(text);\nlet vars = #{who: \"Ada\"};\nvars.more = 1;\nprint(render_text(\"{{ who }}{{ more }}\", vars));",
    "let r = rng(\"seed\");\nprint(r.weighted_choice(#{a: 3, b: 1}) + r.choice([\"x\", \"y\"]));\nprint(r.chance(0.5) || r.chance(1));\nprint(r.sample([1, 2, 3], 2).len() + r.randint(1, 6));\nlet w = weighted([#{id: \"a\", weight: 1}, #{id: \"b\", weight: 3}]);\nprint(w.at(0.3).id + w.len);\nlet shuffled = r.shuffle([1, 2]);\nprint(shuffled);",
    "let exchanges = [#{user: \"a\", assistant: \"b\"}, #{user: \"c\", assistant: \"d\"}];\nprint(format_history(exchanges, #{user: \"Q\", assistant: \"A\", last: 1, numbered: true}));\nprint(compute_length_stats(exchanges));\nlet stats = length_stats(exchanges);\nprint(stats.turns.len());\nlet messages = chat_messages(exchanges, \"next\");\nmessages.push(#{role: \"system\", content: \"x\"});\nprint(count_messages_tokens([#{role: \"user\", content: \"x\"}]) + messages.len());",
    "let points = get_slice_points(12, \"t1\", #{min_context: 2, min_gap: 1, max_gap: 3});\nprint(points[-1]);\nlet rubric = load_rubric(\"config/rubric.yaml\");\nprint(rubric.ids.len() + rubric.gates.len());\nprint(rubric.without([\"C1\"]).ids[0]);\nfor c in rubric.criteria { if c.min_turns ?? 1 > 2 { print(c.id); } }",
    "write_text(\"data/note.md\", \"Hello {{ name }}!\");\nprint(render(\"data/note.md\", #{name: \"Ada\"}));\nwrite_json(\"data/a.json\", #{a: [1]});\nprint(read_json(\"data/a.json\").a[0]);\nwrite_jsonl(\"data/b.jsonl\", [#{id: \"x\"}]);\nfor row in stream_jsonl(\"data/b.jsonl\") { print(row.id); }\nprint(list_files(\"data/*\").len());",
    "let turns = setting(\"turns\", 12);\nlet label = setting(\"label\", \"x\");\nif turns < 1 { throw \"turns\"; }\nlog_info(`${label} ${turns}`);\nlog_warn(\"careful\");\nprint(now_utc().len() > 5);\nlet data = load_yaml(\"config/taxonomy.yaml\");\nfor topic in data.topics { print(topic.id + topic.weight); }",
    "append_checkpoint(\"data/z.jsonl\", #{id: \"a\", n: 1});\nlet results = load_checkpoint_results(\"data/z.jsonl\");\nfor id in results.keys() { let record = results[id]; print(record.n); }\nlet best = ();\nfor record in results.values() { if best == () || record.n > best.n { best = record; } }\nprint(best.id);",
    "let held = [];\nlet add = |x| held.push(x);\nadd.call(1);\nprint(held.len());\nlet state = #{n: 0};\nlet bump = || { state.n += 1; state.n };\nbump.call();\nprint(state.n);\nlet out = [];\n[1, 2].for_each(|_i| out.push(this));\nprint(out);",
    "let n = 3;\nlet kind = if n % 2 == 0 { \"even\" } else { \"odd\" };\nlet flag = n > 2 && !(n == 5) || kind == \"odd\" && kind != \"\";\nif flag { print(kind); } else if n == 0 { print(0); } else { print(1); }\nlet text = n.to_string() + 1 + true + 'c' + 1.5;\nprint(text);\nprint(type_of(text) == \"string\" && text.type_of() == \"string\");",
    "/* a block\n   comment */\n// allowing things is done by a comment\n/// Doubles.\nfn double(x) { /* inner */ x * 2 } // after\nprint(double(/* arg */ 2));\nlet url = \"http://a.b/c // no comment\";\nprint(url);",
    "let json = `{\"a\": [1, null]}`;\nlet v = parse_json(json);\nif v.a[1] == () { print(\"null\"); }\nprint(v.to_json());\nlet opt = v?.b;\nprint(opt == ());\nlet list = v.b ?? [];\nfor x in list { print(x); }\nprint(list.is_empty());",
    "let users = #{ann: #{age: 30, tags: [\"x\"]}};\nfor name in users.keys() {\n    let user = users[name];\n    user.age += 1;\n    users[name] = user;\n    users[name].tags.push(\"y\");\n}\nprint(users.ann.age);\nlet ages = users.values().map(|u| u.age);\nprint(ages);\nlet counts = #{};\nfor w in \"a b a\".split(\" \") { counts[w] = (counts[w] ?? 0) + 1; }\nprint(counts);",
    "process([#{id: \"a\"}], #{checkpoint: \"data/t.jsonl\"}, |item| if item.id == \"b\" { throw \"no\" } else { item });\nfn never(n) { throw `no ${n}` }\ntry { never(1); } catch { print(\"caught\"); }",
    "let handlers = #{};\nfor name in [\"a\", \"b\"] { handlers[name] = |x| x + name; }\nprint(handlers.a(\"1\"));\nwrite_training_data(\"data/processed\", [], #{validation: 0.1});\nwrite_training_data(\"data/processed\", [], #{validation: 0.1});",
    "fn visit(node, depth) {\n    let line = \"\";\n    for _i in 0..depth { line += \"  \"; }\n    print(line + node.name);\n    for child in node.children ?? [] { visit(child, depth + 1); }\n}\nvisit(#{name: \"root\", children: [#{name: \"leaf\"}]}, 0);\nfn noop() {}\nnoop();",
    "let queue = [1];\nlet seen = #{};\nwhile !queue.is_empty() {\n    let n = queue.shift();\n    if n > 20 || `${n}` in seen { continue; }\n    seen[`${n}`] = true;\n    queue.push(n * 2);\n    queue.push(n + 5);\n}\nprint(seen.len());\nlet total = 0;\nfor key in seen.keys() { total += parse_int(key); }\nprint(total);",
];

fn with_modules(script: &'static str) -> Vec<(&'static str, &'static str)> {
    std::iter::once((MAIN, script)).chain(MODULES).collect()
}

fn valid() -> impl Iterator<Item = &'static str> {
    VALID.iter().copied()
}

#[test]
fn nothing_is_found_in_valid_scripts() {
    let wrong: Vec<String> = valid()
        .map(|script| (script, findings(&with_modules(script))))
        .filter(|(_, found)| !found.is_empty())
        .map(|(script, found)| format!("{script}\n{}", rendered(&found)))
        .collect();
    assert!(wrong.is_empty(), "{} with findings\n{}", wrong.len(), wrong.join("\n\n"));
    assert!(valid().count() >= 50);
}

#[test]
fn valid_scripts_run() {
    let mut wrong = Vec::new();
    for script in valid() {
        let (_dir, session) = project(&with_modules(script));
        if let Err(error) = session.load(MAIN).and_then(|unit| session.run(&unit)) {
            wrong.push(format!("{script}\n{}", report::render(&error, false)));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n\n"));
}
