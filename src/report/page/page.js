// The transcripts: filtered, searched, read. Whatever comes from them is put in as text, never as markup.
(() => {
  'use strict';
  const $ = id => document.getElementById(id);
  const index = JSON.parse($('index').textContent);
  const items = index.items;
  const byId = new Map(items.map((item, place) => [item.id, place]));
  const ROWS = 120; // rows that are drawn at a time
  const SLICE_MS = 14; // how long a search may hold up the page

  function el(name, attributes, ...children) {
    const node = document.createElement(name);
    for (const [key, value] of Object.entries(attributes || {})) {
      if (value === false || value === null || value === undefined) continue;
      if (key === 'class') node.className = value;
      else node.setAttribute(key, value);
    }
    node.append(...children.filter(child => child !== null && child !== undefined && child !== false));
    return node;
  }
  const number = n => Number(n).toLocaleString('en');
  const score = n => (n === null || n === undefined ? '' : Number(n).toFixed(3));
  const count = (n, what) => `${number(n)} ${what}${n === 1 ? '' : 's'}`;

  // ---- the state: all of it stands in the address ----
  const EMPTY = { t: '', q: '', status: '', criterion: '', judges: '', human: '', sort: 'id' };
  let state = { ...EMPTY };
  let shown = []; // places of the items that are listed, in their order
  let hits = new Map(); // hits of the search by place

  function read(hash) {
    const text = hash.replace(/^#/, '');
    if (text !== 'transcripts' && !text.includes('=')) return null;
    const next = { ...EMPTY };
    if (text === 'transcripts') return next;
    for (const [key, value] of new URLSearchParams(text)) if (key in EMPTY || key.startsWith('p.')) next[key] = value;
    return next;
  }
  function address(of) {
    const words = new URLSearchParams();
    for (const [key, value] of Object.entries(of)) if (value && value !== EMPTY[key]) words.set(key, value);
    const text = words.toString().replace(/\+/g, '%20');
    return '#' + (text || 'transcripts');
  }
  function put(changes) {
    const next = { ...state, ...changes };
    try { history.replaceState(null, '', address(next)); apply(next); } catch { location.hash = address(next); }
  }

  // ---- texts, read when they are asked for ----
  const loaded = new Map();
  function transcript(place) {
    if (loaded.has(place)) return loaded.get(place);
    const node = $('t' + place);
    if (!node) return null;
    const value = JSON.parse(node.textContent);
    if (loaded.size > 60) loaded.delete(loaded.keys().next().value);
    loaded.set(place, value);
    return value;
  }
  const texts = new Map(); // lower case, by place
  function text(place) {
    let known = texts.get(place);
    if (known === undefined) {
      const node = $('t' + place);
      if (!node) return '';
      const value = JSON.parse(node.textContent);
      const said = value.exchanges.flat();
      const reasons = value.judges.flatMap(judge => Object.values(judge.answers).map(answer => answer.why));
      known = [items[place].id, ...said, ...reasons].join('\n').toLowerCase();
      texts.set(place, known);
    }
    return known;
  }

  // ---- filters ----
  function passes(item) {
    if (state.status && item.status !== state.status) return false;
    if (state.criterion && !item.failed.includes(state.criterion)) return false;
    if (state.judges === 'differ' && !item.disputed.length && !item.far) return false;
    if (state.judges === 'far' && !item.far) return false;
    if (state.judges.startsWith('on ') && !item.disputed.includes(state.judges.slice(3))) return false;
    if (state.human && (item.human || 'none') !== state.human) return false;
    for (const [key, value] of Object.entries(state)) {
      if (key.startsWith('p.') && value && !(item.persona[key.slice(2)] || []).includes(value)) return false;
    }
    return true;
  }
  const SORTS = {
    id: (a, b) => a.place - b.place,
    worst: (a, b) => (a.item.score ?? 2) - (b.item.score ?? 2) || a.place - b.place,
    best: (a, b) => (b.item.score ?? -1) - (a.item.score ?? -1) || a.place - b.place,
    apart: (a, b) => b.item.far - a.item.far || b.item.spread - a.item.spread || b.item.disputed.length - a.item.disputed.length || a.place - b.place,
    long: (a, b) => b.item.tokens - a.item.tokens || a.place - b.place,
    short: (a, b) => a.item.tokens - b.item.tokens || a.place - b.place,
    hits: (a, b) => (hits.get(b.place) || 0) - (hits.get(a.place) || 0) || a.place - b.place,
  };

  // ---- searching, a little at a time ----
  let search = 0;
  let searched = '';
  function occurrences(where, what) {
    let found = 0;
    for (let at = where.indexOf(what); at >= 0; at = where.indexOf(what, at + what.length)) found += 1;
    return found;
  }
  function startSearch() {
    const query = state.q.trim().toLowerCase();
    if (query === searched && document.readyState !== 'loading') return list();
    const mine = ++search;
    hits = new Map();
    searched = query;
    if (!query) return list();
    let place = 0;
    const step = () => {
      if (mine !== search) return;
      const end = performance.now() + SLICE_MS;
      while (place < items.length && performance.now() < end) {
        // What the browser has not read yet comes later.
        if (!$('t' + place) && document.readyState === 'loading') return void setTimeout(step, 30);
        const found = occurrences(text(place), query);
        if (found) hits.set(place, found);
        place += 1;
      }
      $('progress').textContent = place < items.length ? `searching ${Math.round(place / items.length * 100)} %` : '';
      if (place < items.length) setTimeout(step);
      else list();
    };
    list();
    step();
  }

  // ---- the list ----
  let drawn = 0;
  function list() {
    const searching = state.q.trim() !== '';
    shown = items.map((item, place) => ({ item, place }))
      .filter(({ item, place }) => passes(item) && (!searching || hits.has(place)))
      .sort(SORTS[state.sort] || SORTS.id).map(({ place }) => place);
    const all = searching ? [...hits.values()].reduce((sum, n) => sum + n, 0) : 0;
    $('count').textContent = `${number(shown.length)} of ${count(items.length, 'transcript')}` + (searching ? `, ${count(all, 'hit')}` : '');
    $('rows').replaceChildren();
    drawn = 0;
    more();
  }
  function more(least = 0) {
    const end = Math.min(shown.length, Math.max(drawn + ROWS, least));
    const rows = document.createDocumentFragment();
    for (; drawn < end; drawn += 1) rows.append(row(shown[drawn]));
    $('rows').append(rows);
  }
  function row(place) {
    const item = items[place];
    const failed = item.failed.length ? item.failed.join(' ') : '';
    const found = hits.get(place);
    const about = index.facets.slice(0, 3).map(facet => (item.persona[facet.name] || []).join(', ')).filter(Boolean).join(' · ');
    return el('li', {}, el('a', { href: address({ ...state, t: item.id }), 'data-place': place, 'aria-current': item.id === state.t ? 'true' : null },
      el('span', { class: 'line1' }, el('span', { class: 'id' }, item.id),
        found ? el('span', { class: 'badge' }, count(found, 'hit')) : null,
        el('span', { class: 'small soft num' }, score(item.score)), badge(item.status)),
      el('span', { class: 'line2' }, [failed, item.disputed.length ? `judges differ on ${item.disputed.join(' ')}` : '', about].filter(Boolean).join(' · ') || `${item.turns} turns`)));
  }
  const badge = status => el('span', { class: `badge ${status.replaceAll(' ', '-')}` }, status);

  // ---- reading ----
  function marked(where) {
    const query = state.q.trim().toLowerCase();
    if (!query) return [where];
    const lower = where.toLowerCase();
    // Letters whose lower case is longer would move the places.
    if (lower.length !== where.length) return [where];
    const parts = [];
    let from = 0;
    for (let at = lower.indexOf(query); at >= 0; at = lower.indexOf(query, from)) {
      parts.push(where.slice(from, at), el('mark', {}, where.slice(at, at + query.length)));
      from = at + query.length;
    }
    parts.push(where.slice(from));
    return parts;
  }
  // The same reasoning of several judges is shown once.
  function remarks(value) {
    const all = new Map();
    for (const judge of value.judges) {
      for (const [id, answer] of Object.entries(judge.answers)) {
        const key = JSON.stringify([id, answer.answer, answer.why]);
        const known = all.get(key);
        if (known) known.judges.push(judge.judge);
        else all.set(key, { id, ...answer, judges: [judge.judge] });
      }
    }
    return [...all.values()];
  }
  const remark = of => el('div', { class: `remark ${of.answer.toLowerCase()}` },
    el('b', {}, `${of.id} ${of.answer} `), el('span', { class: 'who' }, of.judges.join(', ')), el('div', {}, ...marked(of.why || 'no reasoning')));

  function answers(value) {
    const ids = [...new Set([...index.criteria.map(criterion => criterion.id), ...value.judges.flatMap(judge => Object.keys(judge.answers))])]
      .filter(id => value.judges.some(judge => judge.answers[id]));
    const question = id => (index.criteria.find(criterion => criterion.id === id) || {}).question || '';
    const cell = answer => el('td', {}, answer ? el('span', { class: `badge ${answer.answer.toLowerCase()}`, title: answer.why }, answer.answer) : '');
    const human = value.human && Object.keys(value.human.answers || {}).length ? value.human.answers : null;
    return el('table', { class: 'answers' },
      el('thead', {}, el('tr', {}, el('th', { scope: 'col' }, 'Criterion'), ...value.judges.map(judge => el('th', { scope: 'col' }, judge.judge)),
        human ? el('th', { scope: 'col' }, 'human') : null, el('th', { scope: 'col', class: 'q' }, 'Question'))),
      el('tbody', {}, ...ids.map(id => el('tr', {}, el('th', { scope: 'row' }, id), ...value.judges.map(judge => cell(judge.answers[id])),
        human ? cell(human[id] ? { answer: human[id], why: '' } : null) : null, el('td', { class: 'q' }, question(id))))));
  }
  function pairs(map) {
    const shown = value => (typeof value === 'string' ? value : JSON.stringify(value));
    return el('dl', {}, ...Object.entries(map).flatMap(([key, value]) => [el('dt', {}, key), el('dd', {}, shown(value))]));
  }
  function turn(pair, place, value, about) {
    const n = place + 1;
    const cuts = value.slices.filter(slice => slice.last === n);
    return el('section', { class: 'turn', id: `turn-${n}`, 'aria-label': `turn ${n}` }, el('div', { class: 'n' }, `[${n}]`),
      el('div', {}, ...['user', 'assistant'].map((side, i) => el('div', { class: `say ${side}` }, el('b', {}, side), ...marked(pair[i])))),
      el('div', { class: 'beside' }, ...about.filter(of => of.at.includes(n)).map(remark)),
      ...cuts.map(cut => el('div', { class: 'cut' }, `✂ example: turns ${cut.first} to ${cut.last}, ${number(cut.tokens)} tokens, ${cut.file} line ${cut.line}${cut.truncated ? ', without the beginning' : ''}`)));
  }
  function verdict(value) {
    const judges = value.judges.map(judge => el('span', { class: 'opinion' }, `${judge.judge} `, badge(judge.pass ? 'passed' : 'failed'), ` ${score(judge.score)}`));
    const human = value.human && el('p', {}, 'human ', badge(value.human.verdict === 'accept' ? 'accepted' : 'rejected'), ` ${value.human.note || ''}`,
      value.human.reviewer ? el('span', { class: 'soft' }, ` ${value.human.reviewer}`) : null);
    return el('div', { class: 'card' }, el('h3', {}, 'Verdicts'), el('p', {}, ...judges), human, value.judges.length ? el('div', { class: 'wide' }, answers(value)) : null);
  }
  function draw(place) {
    const item = items[place];
    const reader = $('reader');
    const value = transcript(place);
    if (!value) {
      reader.replaceChildren(el('p', { class: 'empty' }, 'It is still being loaded.'));
      if (document.readyState === 'loading') document.addEventListener('DOMContentLoaded', () => apply(state), { once: true });
      return;
    }
    const all = remarks(value);
    const about = all.filter(of => of.at.length && (of.answer !== 'YES' || of.at.length <= 2));
    const rest = all.filter(of => !about.includes(of)).sort((a, b) => (b.answer === 'NO') - (a.answer === 'NO'));
    const step = (by, name, key) => el('button', { class: 'button', type: 'button', 'data-step': by, title: `key ${key}` }, name);
    const facts = [count(item.turns, 'turn'), item.tokens ? `${number(item.tokens)} tokens` : '', item.score === null ? '' : `score ${score(item.score)}`,
      value.slices.length ? count(value.slices.length, 'example') : 'no example in the training data', value.judged_at ? `judged ${value.judged_at}` : ''];
    reader.replaceChildren(
      el('header', {}, el('button', { class: 'button close', type: 'button' }, '← list'), el('h2', { tabindex: '-1' }, item.id), badge(item.status),
        item.far ? el('span', { class: 'badge no' }, 'judges far apart') : null, el('span', { class: 'walk' }, step(-1, '↑', 'k'), step(1, '↓', 'j'))),
      el('p', { class: 'facts' }, facts.filter(Boolean).join(' · ')),
      value.judges.length || value.human ? verdict(value) : null,
      el('details', { class: 'card' }, el('summary', {}, 'Persona and origin'), pairs({ ...value.persona, ...value.more })),
      ...value.exchanges.map((pair, place) => turn(pair, place, value, about)),
      rest.length ? el('div', { class: 'card' }, el('h3', {}, 'About the whole conversation'), ...rest.map(remark)) : null);
  }
  function open(place) {
    draw(place);
    const first = $('reader').querySelector('mark');
    window.scrollTo(0, 0);
    if (first && state.q) first.scrollIntoView({ block: 'center' });
  }
  function walk(by) {
    const at = shown.indexOf(byId.get(state.t));
    const next = shown[at < 0 ? 0 : Math.min(shown.length - 1, Math.max(0, at + by))];
    if (next === undefined) return;
    more(shown.indexOf(next) + 1);
    location.hash = address({ ...state, t: items[next].id });
  }
  function close() {
    if (state.t) location.hash = address({ ...state, t: '' });
  }

  // ---- what the address says is shown ----
  function apply(next) {
    const before = state;
    state = next;
    for (const name of ['q', 'criterion', 'judges', 'human', 'sort']) if ($('f-' + name) && $('f-' + name).value !== state[name]) $('f-' + name).value = state[name];
    document.querySelectorAll('[data-facet]').forEach(select => { select.value = state['p.' + select.dataset.facet] || ''; });
    document.querySelectorAll('[data-status]').forEach(chip => chip.setAttribute('aria-pressed', String(chip.dataset.status === state.status)));
    const { t: _, ...old } = before;
    const { t: __, ...now } = state;
    const was = !$('transcripts').hidden;
    if (!was || JSON.stringify(old) !== JSON.stringify(now) || !drawn) startSearch();
    else document.querySelectorAll('.rows a').forEach(a => { a.setAttribute('href', address({ ...state, t: items[a.dataset.place].id })); });
    document.querySelectorAll('.rows a[aria-current]').forEach(a => a.removeAttribute('aria-current'));
    const place = byId.get(state.t);
    $('transcripts').classList.toggle('reading', place !== undefined);
    if (place === undefined) $('reader').replaceChildren(welcome(state.t));
    else if (state.t !== before.t || before.q !== state.q || !$('reader').querySelector('h2')) open(place);
    const current = document.querySelector(`.rows a[data-place="${place}"]`);
    if (current) { current.setAttribute('aria-current', 'true'); current.scrollIntoView({ block: 'nearest' }); }
  }
  function welcome(id) {
    const keys = el('p', { class: 'keys' }, ...[['j', ' next  '], ['k', ' previous  '], ['Enter', ' first  '], ['/', ' search  '], ['Esc', ' back to the list']].flatMap(([key, what]) => [el('kbd', {}, key), what]));
    return el('div', { class: 'empty' }, el('p', {}, id ? `There is no transcript ${id}.` : 'Choose a transcript.'), keys);
  }
  function route() {
    const next = read(location.hash);
    $('figures-page').hidden = next !== null;
    $('transcripts').hidden = next === null;
    document.querySelectorAll('.tabs a').forEach(a => {
      const is = (a.dataset.tab === 'transcripts') === (next !== null);
      if (is) a.setAttribute('aria-current', 'page'); else a.removeAttribute('aria-current');
    });
    $('jump').hidden = next !== null;
    if (next) return apply(next);
    const target = location.hash.length > 1 && document.getElementById(location.hash.slice(1));
    if (target) target.scrollIntoView();
  }

  // ---- what people do ----
  function options(select, all, nothing) {
    select.append(el('option', { value: '' }, nothing), ...all.map(([value, name]) => el('option', { value }, name)));
  }
  function prepare() {
    const counts = new Map();
    for (const item of items) counts.set(item.status, (counts.get(item.status) || 0) + 1);
    const chip = (status, name) => el('button', { class: 'chip', type: 'button', 'data-status': status, 'aria-pressed': 'false' }, name);
    $('statuses').append(chip('', 'all'), ...[...counts].map(([status, n]) => chip(status, `${status} ${number(n)}`)));
    const failed = index.criteria.map(criterion => [criterion.id, items.filter(item => item.failed.includes(criterion.id)).length]).filter(([, n]) => n);
    options($('f-criterion'), failed.map(([id, n]) => [id, `${id} failed (${number(n)})`]), 'any criterion');
    const disputed = index.criteria.map(criterion => [criterion.id, items.filter(item => item.disputed.includes(criterion.id)).length]).filter(([, n]) => n);
    options($('f-judges'), [['differ', 'judges differ'], ['far', 'judges far apart'], ...disputed.map(([id, n]) => [`on ${id}`, `differ on ${id} (${number(n)})`])], 'any agreement');
    options($('f-human'), [['accept', 'accepted by a human'], ['reject', 'rejected by a human'], ['none', 'not reviewed']], 'any review');
    for (const facet of index.facets) {
      const select = el('select', { 'data-facet': facet.name, 'aria-label': facet.name });
      options(select, facet.values.map(value => [value, value]), `any ${facet.name.replaceAll('_', ' ')}`);
      $('facets').append(select);
    }
    $('persona').hidden = !index.facets.length;
  }
  prepare();

  let typing = 0;
  $('f-q').addEventListener('input', () => {
    clearTimeout(typing);
    typing = setTimeout(() => put({ q: $('f-q').value, sort: $('f-q').value.trim() ? 'hits' : 'id' }), 120);
  });
  for (const name of ['criterion', 'judges', 'human', 'sort']) $('f-' + name).addEventListener('change', event => put({ [name]: event.target.value }));
  $('facets').addEventListener('change', event => put({ ['p.' + event.target.dataset.facet]: event.target.value }));
  $('statuses').addEventListener('click', event => { const chip = event.target.closest('[data-status]'); if (chip) put({ status: chip.dataset.status }); });
  $('clear').addEventListener('click', () => {
    const none = Object.fromEntries(Object.keys(state).filter(key => key.startsWith('p.')).map(key => [key, '']));
    put({ ...none, ...EMPTY, t: state.t });
  });
  $('reader').addEventListener('click', event => {
    const step = event.target.closest('[data-step]');
    if (step) walk(Number(step.dataset.step));
    if (event.target.closest('.close')) close();
  });
  new IntersectionObserver(seen => { if (seen.some(one => one.isIntersecting) && drawn < shown.length) more(); }, { rootMargin: '600px' }).observe($('end'));
  document.addEventListener('keydown', event => {
    if (event.ctrlKey || event.metaKey || event.altKey) return;
    const inField = /^(INPUT|SELECT|TEXTAREA)$/.test(event.target.tagName);
    if (event.key === 'Escape') { if (inField) event.target.blur(); else close(); return; }
    if (inField) { if (event.key === 'Enter') { event.preventDefault(); event.target.blur(); walk(0); } return; }
    if (event.key === '/') { event.preventDefault(); if ($('transcripts').hidden) location.hash = 'transcripts'; setTimeout(() => $('f-q').focus()); }
    if ($('transcripts').hidden) return;
    if (event.key === 'j') walk(1);
    if (event.key === 'k') walk(-1);
    if (event.key === 'Enter' && event.target === document.body && !state.t) walk(0);
  });
  $('theme').addEventListener('click', () => {
    const root = document.documentElement;
    const dark = root.dataset.theme ? root.dataset.theme === 'dark' : matchMedia('(prefers-color-scheme: dark)').matches;
    root.dataset.theme = dark ? 'light' : 'dark';
    try { localStorage.setItem('fthost-theme', root.dataset.theme); } catch { /* A file may have no storage. */ }
  });
  $('filters').addEventListener('submit', event => event.preventDefault());
  addEventListener('hashchange', route);
  route();
  document.documentElement.dataset.ready = 'true';
})();
