// Every method of the client of Node; prints what came as JSON: every_method.js MODULE PORT DIRECTORY HOST
'use strict';
const [, , module_path, port, directory, host] = process.argv;
const Client = require(module_path);
const client = new Client({ host: '127.0.0.1', port: Number(port), username: 'api', password: 'secret', timeout: 60000 });
const found = {};

function ask(name, given, key) {
  return new Promise((resolve) => {
    client[name](given || {}, (error, data) => {
      found[key || name] = error ? { failed: String(error.message) } : data;
      resolve(found[key || name]);
    });
  });
}

async function main() {
  for (const name of ['getOs', 'getVersion', 'getSpeed', 'getPrefs']) await ask(name);
  const secrets = await ask('getSecrets', { type: 'encryption' });
  const secret = secrets.read_write;
  await ask('addFolder', { dir: directory, secret: secret, selective_sync: 1 });
  await ask('getFolders', { secret: secret });
  for (const name of ['getFiles', 'getFolderPeers', 'getFolderPrefs', 'getFolderHosts']) await ask(name, { secret: secret });
  await ask('setFilePrefs', { secret: secret, path: 'nothing', download: 1 });
  await ask('setFolderPrefs', { secret: secret, use_dht: 1 });
  await ask('setFolderHosts', { secret: secret, hosts: host });
  await ask('setPrefs', { lang: -1 });
  await ask('addFolder', {}, 'nothing given');
  await ask('addFolder', { dir: '/no/such/folder' }, 'no folder');
  await ask('getSecrets', { secret: 'nonsense' }, 'no secret');
  await ask('removeFolder', { secret: secret });
  await ask('removeFolder', { secret: secret }, 'removed before');
  await ask('shutdown');
  console.log(JSON.stringify(found));
}

main();
