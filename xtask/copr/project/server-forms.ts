// What the server's forms take for a URL and a contact: WTForms 3 (`URL`, `HostnameValidation`) and
// email-validator 2, so that a mistake is found with its line before anything is sent.
import { isIPv4 } from "node:net";
import { domainToASCII } from "node:url";

const HOST_MAX = 253;
const LABEL_MAX = 63;
const LOCAL_MAX = 64;
const ADDRESS_MAX = 254;

/** Top-level names that no mail can be sent to. */
const SPECIAL_USE = new Set(["arpa", "invalid", "local", "localhost", "onion", "test"]);

/** A URL with the full name of a host, or its IPv4 address; the scheme is letters alone. */
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

/** An e-mail address that could be delivered to, or a URL. */
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

/** Only names in other scripts: the function takes `300.0.2.1` for an address and `a b` for nothing. */
function toAscii(host: string): string {
  return /^[\u0020-\u007e]*$/.test(host) ? host : domainToASCII(host);
}
