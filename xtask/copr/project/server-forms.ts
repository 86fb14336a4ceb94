// Checks URLs and contacts as the server's forms do: WTForms 3 (`URL`, `HostnameValidation`) and
// email-validator 2. This finds mistakes, with their lines, before anything is sent.
import { isIPv4 } from "node:net";
import { domainToASCII } from "node:url";

const HOST_MAX = 253;
const LABEL_MAX = 63;
const LOCAL_MAX = 64;
const ADDRESS_MAX = 254;

/** Top-level names to which no mail can be sent. */
const SPECIAL_USE = new Set(["arpa", "invalid", "local", "localhost", "onion", "test"]);

/** A URL with the full name of a host or an IPv4 address; its scheme has only letters. */
export function isServerUrl(text: string): boolean {
  const host = /^[a-z]+:\/\/([^/?:]+)(:[0-9]+)?(\/.*?)?(\?.*)?$/i.exec(text)?.[1];
  if (host === undefined) return false;
  return isIPv4(host) || isHostOfUrl(toAscii(host));
}

function isHostOfUrl(host: string): boolean {
  const labels = host.split(".");
  const top = labels.at(-1) ?? "";
  return (
    host.length <= HOST_MAX &&
    labels.length > 1 &&
    labels.every((it) => it.length <= LABEL_MAX) &&
    labels.every((it) => /^(xn-|[a-z0-9_]+)(-[a-z0-9_-]+)*$/i.test(it)) &&
    /^([a-z]{2,20}|xn--([a-z0-9]+-)*[a-z0-9]+)$/i.test(top)
  );
}

/** An e-mail address to which mail could be delivered, or a URL. */
export function isServerContact(text: string): boolean {
  return isServerUrl(text) || isAddress(text);
}

function isAddress(text: string): boolean {
  const [local = "", domain = "", ...others] = text.split("@");
  return (
    others.length === 0 &&
    text.length <= ADDRESS_MAX &&
    local.length <= LOCAL_MAX &&
    local.split(".").every((it) => /^[\w!#$%&'*+\-/=?^`{|}~\u0080-\u{10ffff}]+$/u.test(it)) &&
    isDomainOfAddress(toAscii(domain))
  );
}

function isDomainOfAddress(domain: string): boolean {
  const labels = domain.split(".");
  const top = labels.at(-1) ?? "";
  return (
    domain.length <= HOST_MAX &&
    labels.length > 1 &&
    labels.every((it) => it.length <= LABEL_MAX) &&
    labels.every((it) => /^[a-z0-9]([a-z0-9-]*[a-z0-9])?$/i.test(it)) &&
    /[a-z]$/i.test(top) &&
    !SPECIAL_USE.has(top.toLowerCase())
  );
}

/** Leaves ASCII alone: domainToASCII takes `300.0.2.1` for an address, and gives nothing for `a b`. */
function toAscii(host: string): string {
  return /^[\u0020-\u007e]*$/.test(host) ? host : domainToASCII(host);
}
