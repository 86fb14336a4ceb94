// What the forms of the real frontend accept (fedora-copr/copr 5d37cd8, 2026-08-07, `CoprForm`), which checks
// values with WTForms 3 and email-validator 2.

/** Source: `wtforms.validators.URL` with `HostnameValidation`, of names in ASCII. */
export function isUrlOfForm(text: string): boolean {
  const host = /^[a-z]+:\/\/([^/?:]+)(:[0-9]+)?(\/.*?)?(\?.*)?$/i.exec(text)?.[1];
  if (host === undefined || host.length > 253) return false;
  if (/^(\d{1,3}\.){3}\d{1,3}$/.test(host)) return host.split(".").every((it) => Number(it) < 256);
  const parts = host.split(".");
  const isPart = (it: string) => it.length < 64 && /^(xn-|[a-z0-9_]+)(-[a-z0-9_-]+)*$/i.test(it);
  const isTop = /^([a-z]{2,20}|xn--([a-z0-9]+-)*[a-z0-9]+)$/i.test(parts.at(-1) ?? "");
  return parts.length > 1 && parts.every(isPart) && isTop;
}

/** Source: `EmailOrURL`, and `validate_email` without asking the name server. */
export function isContactOfForm(text: string): boolean {
  if (isUrlOfForm(text)) return true;
  const mail =
    /^(?=.{1,64}@)[\w!#$%&'*+\-/=?^`{|}~]+(\.[\w!#$%&'*+\-/=?^`{|}~]+)*@(([a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?\.)+[a-z0-9-]*[a-z])$/i;
  const domain = mail.exec(text)?.[2];
  const isSpecial = /(^|\.)(arpa|invalid|local|localhost|onion|test)$/i.test(domain ?? "");
  return domain !== undefined && text.length <= 254 && !isSpecial;
}

/** The server's objections to the fields of a project. */
export function checkProject(fields: Readonly<Record<string, unknown>>): string | undefined {
  const [homepage, contact] = [fields.homepage, fields.contact].map((it) =>
    String(it ?? "").trim(),
  );
  const problems: string[] = [];
  if (homepage && !isUrlOfForm(homepage)) problems.push("homepage: Invalid URL.");
  if (contact && !isContactOfForm(contact)) {
    problems.push("contact: Contact must be email address or URL");
  }
  return problems.length === 0 ? undefined : problems.join("\n");
}
