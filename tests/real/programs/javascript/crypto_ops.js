// SPDX-License-Identifier: Apache-2.0
'use strict';
const c = require('crypto');
for (const h of ['md5', 'sha1', 'sha256', 'sha512', 'sha3-256'])
	console.log(h, c.createHash(h).update('sandgate').digest('hex').slice(0, 40));
console.log(c.createHmac('sha256', 'k').update('m').digest('base64'));
console.log(c.pbkdf2Sync('pw', 'salt', 1000, 16, 'sha512').toString('hex'), c.scryptSync('pw', 'na', 16, { N: 1024 }).toString('hex'));
const key = Buffer.alloc(32, 7), iv = Buffer.alloc(12, 1);
const e = c.createCipheriv('aes-256-gcm', key, iv);
const ct = Buffer.concat([e.update('secret text'), e.final()]);
const d = c.createDecipheriv('aes-256-gcm', key, iv).setAuthTag(e.getAuthTag());
console.log(ct.toString('hex'), d.update(ct) + d.final('utf8'));
console.log(c.randomBytes(16).length, c.randomUUID().length, c.randomInt(1), c.timingSafeEqual(key, Buffer.alloc(32, 7)));
const { publicKey, privateKey } = c.generateKeyPairSync('ec', { namedCurve: 'prime256v1' });
console.log(c.verify('sha256', Buffer.from('x'), publicKey, c.sign('sha256', Buffer.from('x'), privateKey)));
c.generateKeyPair('rsa', { modulusLength: 1024 }, (err, pub, priv) => {
	const enc = c.publicEncrypt(pub, Buffer.from('hi'));
	console.log(err, c.privateDecrypt(priv, enc).toString());
	c.randomFill(Buffer.alloc(8), (err2, b) => console.log(err2, b.length));
});
