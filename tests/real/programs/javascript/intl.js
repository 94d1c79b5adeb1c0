// SPDX-License-Identifier: Apache-2.0
'use strict';
const d = new Date(Date.UTC(2024, 1, 29, 13, 37));
for (const l of ['en-US', 'de-DE', 'ja-JP', 'ar-EG'])
	console.log(l, new Intl.DateTimeFormat(l, { dateStyle: 'full', timeZone: 'Asia/Tokyo' }).format(d),
		new Intl.NumberFormat(l, { style: 'currency', currency: 'EUR' }).format(1234567.891));
console.log(['z', 'ä', 'a', 'Z'].sort(new Intl.Collator('de').compare), new Intl.PluralRules('pl').select(3));
console.log(new Intl.RelativeTimeFormat('fr').format(-2, 'day'), new Intl.ListFormat('en').format(['a', 'b', 'c']));
console.log(d.toISOString(), d.toLocaleString('sv', { timeZone: 'UTC' }), Date.parse('2000-01-01T00:00:00+02:00'));
console.log('ﬁ'.normalize('NFKC'), 'straße'.toLocaleUpperCase('de'), [...'👩‍👧🙂'].length, 'x'.padStart(4, '-'));
console.log('2024-02-29'.match(/(?<y>\d{4})-(?<m>\d\d)/u).groups.y, 'aBc'.replace(/b/i, (m) => `[${m}]`), /\p{Lu}/u.test('É'));
