import { expect, test } from "vitest";
import { BootcError } from "../../src/errors.ts";
import { describeExpiry, parseCredentials, redact } from "./credentials.ts";

// As https://copr.fedorainfracloud.org/api/ shows it (frontend 5d37cd8), with other letters.
const FILE = `[copr-cli]
login = abcdefghijklmnop
username = tester
token = qrstuvwxyz0123456789
copr_url = https://copr.fedorainfracloud.org
# expiration date: 2027-05-01
`;

test("the token file of copr-cli", () => {
  expect(parseCredentials(FILE, "f")).toEqual({
    url: "https://copr.fedorainfracloud.org",
    username: "tester",
    login: "abcdefghijklmnop",
    token: "qrstuvwxyz0123456789",
    expiresOn: "2027-05-01",
  });
});

test("an old file without expiration date and server", () => {
  const text = "[copr-cli]\r\nlogin: a\r\ntoken: b\r\n";
  expect(parseCredentials(text, "f")).toEqual({
    url: "https://copr.fedorainfracloud.org",
    username: undefined,
    login: "a",
    token: "b",
    expiresOn: undefined,
  });
});

test.each([
  { text: "", want: "the token file f has no `[copr-cli]` section" },
  { text: "[copr-cli]\nlogin = secret1", want: "the token file f has no `token`" },
  { text: "[copr-cli]\n#login = x", want: "the token file f has no `login` and no `token`" },
  {
    text: "[copr-cli]\ngssapi = true",
    want: "the token file f asks for Kerberos (`gssapi`), which is not supported",
  },
  {
    text: "[copr-cli]\nlogin = a\ntoken = b\ncopr_url = http://copr.example",
    want: "f: `http://copr.example` would send the token unencrypted",
  },
  {
    text: "[copr-cli]\nlogin = a\ntoken = b\ncopr_url = copr.example",
    want: "the token file f has `copr_url = copr.example`, which is not a URL",
  },
])("$want", ({ text, want }) => {
  let error: unknown;
  try {
    parseCredentials(text, "f");
  } catch (it) {
    error = it;
  }
  expect(error).toBeInstanceOf(BootcError);
  expect((error as BootcError).message).toBe(want);
  expect((error as BootcError).kind).toBe("authentication");
});

// Every spelling of Python's configparser, which copr-cli reads the file with.
test.each(["0", "no", "false", "off", "No", "FALSE", "Off"])("encrypted = %s allows http", (it) => {
  const text = `[copr-cli]\nlogin = a\ntoken = b\ncopr_url = http://127.0.0.1\nencrypted = ${it}`;
  expect(parseCredentials(text, "f").url).toBe("http://127.0.0.1");
});

test.each(["1", "yes", "true", "on", "YES", "True", "oN"])("a true value, %s", (it) => {
  const http = `[copr-cli]\nlogin = a\ntoken = b\ncopr_url = http://127.0.0.1\nencrypted = ${it}`;
  expect(() => parseCredentials(http, "f")).toThrow("would send the token unencrypted");
  expect(() => parseCredentials(`[copr-cli]\ngssapi = ${it}`, "f")).toThrow("asks for Kerberos");
});

test.each(["encrypted", "gssapi"])("%s has to be a boolean", (key) => {
  const text = `[copr-cli]\nlogin = a\ntoken = b\n${key} = maybe`;
  expect(() => parseCredentials(text, "f")).toThrow(
    `the token file f has \`${key} = maybe\`, which is neither yes nor no`,
  );
});

test("a file without gssapi, or with it off, is not one for Kerberos", () => {
  expect(() => parseCredentials("[copr-cli]\ngssapi = off", "f")).toThrow("has no `login`");
});

test("[DEFAULT] has the values that the section leaves out", () => {
  const text =
    "[copr-cli]\ntoken = b\nlogin = mine\n" +
    "[DEFAULT]\nlogin = theirs\nencrypted = no\ncopr_url = http://127.0.0.1\nUsername = tester\n";
  expect(parseCredentials(text, "f")).toMatchObject({
    url: "http://127.0.0.1",
    login: "mine",
    username: "tester",
  });
  expect(() => parseCredentials("[DEFAULT]\nlogin = a\ntoken = b", "f")).toThrow(
    "has no `[copr-cli]` section",
  );
});

test("a server without TLS needs `encrypted = false`", () => {
  const text = "[copr-cli]\nlogin = a\ntoken = b\ncopr_url = http://127.0.0.1/\nencrypted = False";
  expect(parseCredentials(text, "f").url).toBe("http://127.0.0.1");
});

test.each([
  { now: "2027-04-01", want: undefined },
  { now: "2027-04-20", want: /^the token ends on 2027-05-01; get a new one at https:/ },
  { now: "2027-05-01T23:00:00Z", want: /^the token ends on 2027-05-01/ },
  { now: "2027-05-02T01:00:00Z", want: /^the token ended on 2027-05-01/ },
])("on $now the expiry is reported: $want", ({ now, want }) => {
  const said = describeExpiry(parseCredentials(FILE, "f"), Date.parse(now));
  if (want === undefined) expect(said).toBeUndefined();
  else expect(said).toMatch(want);
});

test("secrets a server repeats are taken out", () => {
  const credentials = parseCredentials(FILE, "f");
  expect(redact("bad token qrstuvwxyz0123456789 of abcdefghijklmnop", credentials)).toBe(
    "bad token *** of ***",
  );
});
