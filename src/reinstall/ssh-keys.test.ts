import { execFileSync } from "node:child_process";
import { mkdir, mkdtemp, rm, symlink, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { expect, onTestFinished, test } from "vitest";
import { parseKeyFiles } from "../programs/sshd.ts";
import { scriptedContext } from "../testing/scripted-context.ts";
import { keyFilesOf, parseAuthorizedKeys, readUserKeys } from "./ssh-keys.ts";

const ED = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIA== me@host";
const RSA = "ssh-rsa AAAAB3NzaC1yc2EAAAADAQAB";

test("only keys are taken from a file, with their options", () => {
  const options = `from="10.0.0.0/8",command="echo hi" ${RSA} x`;
  const security = "sk-ssh-ed25519@openssh.com AAAAGnNrLXNzaC1lZDI1NTE5 usb";
  const text = `# ssh-rsa AAAA\n\n  ${ED}\r\n${options}\n${security}\nroot:$6$secret:1::::::\nAAAA\n`;
  expect(parseAuthorizedKeys(text)).toEqual([ED, options, security]);
});

test("sshd's patterns become paths", () => {
  const account = { name: "ann", uid: "1000", home: "/home/ann" };
  const patterns = [".ssh/keys", "/etc/keys/%u-%U", "%h/k%%", "none"];
  expect(keyFilesOf(account, patterns)).toEqual([
    "/home/ann/.ssh/keys",
    "/etc/keys/ann-1000",
    "/home/ann/k%",
  ]);
});

test("what sshd prints", () => {
  expect(parseKeyFiles("port 22\nauthorizedkeysfile .ssh/a /etc/b\n")).toEqual([
    ".ssh/a",
    "/etc/b",
  ]);
  expect(parseKeyFiles("")).toEqual([".ssh/authorized_keys", ".ssh/authorized_keys2"]);
});

const NAMES = ["ann", "eve", "ghost", "ann"];

test.each([
  ["in a table", NAMES.map((it, i) => `${i} ${i} ${it} seat0 tty${i}\n`).join("")],
  ["in JSON", JSON.stringify(NAMES.map((user) => ({ user, tty: "tty1" })))],
])("root and whoever is logged in, %s, if they have keys", async (_about, sessions) => {
  const root = await mkdtemp(join(tmpdir(), "keys-"));
  onTestFinished(() => rm(root, { recursive: true }));
  await mkdir(join(root, "etc"));
  await writeFile(
    join(root, "etc/passwd"),
    ["root", "ann", "bob", "eve"]
      .map((it, i) => `${it}:x:${i}:${i}::/home/${it}:/bin/sh\n`)
      .join(""),
  );
  for (const it of ["root", "ann", "bob", "eve"]) {
    await mkdir(join(root, "home", it, ".ssh"), { recursive: true });
  }
  await writeFile(join(root, "home/root/.ssh/authorized_keys"), `${ED}\n${ED}\n`);
  await writeFile(join(root, "home/ann/.ssh/authorized_keys"), `${RSA}\n`);
  await symlink("/etc/passwd", join(root, "home/eve/.ssh/authorized_keys"));
  execFileSync("mkfifo", [join(root, "home/eve/.ssh/authorized_keys2")]);
  const { ctx } = scriptedContext(root, [
    ["? sshd -T", "port 22\n"],
    ["? loginctl list-sessions --output=json --no-legend --no-pager", sessions],
  ]);
  expect(await readUserKeys(ctx)).toEqual([
    { user: "ann", keys: [RSA] },
    { user: "root", keys: [ED] },
  ]);
});
