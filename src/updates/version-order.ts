// Orders versions as rpm does: part by part, numbers by value, letters by alphabet.

/** Below 0 if `a` is older than `b`, 0 if they are equally old, above 0 if it is newer. */
export function compareVersions(a: string, b: string): number {
  const [parts, others] = [partsOfVersion(a), partsOfVersion(b)];
  for (let i = 0; i < Math.max(parts.length, others.length); i += 1) {
    const order = compareParts(parts[i], others[i]);
    if (order !== 0) return order;
  }
  return 0;
}

/** Numbers, words, and `~`, which is older than an end. */
function partsOfVersion(version: string): readonly string[] {
  return version.match(/\d+|[A-Za-z]+|~/g) ?? [];
}

function compareParts(a: string | undefined, b: string | undefined): number {
  if (a === b) return 0;
  if (a === "~") return -1;
  if (b === "~") return 1;
  if (a === undefined) return -1;
  if (b === undefined) return 1;
  const [isNumber, isOtherNumber] = [/^\d/.test(a), /^\d/.test(b)];
  // A number is newer than a word.
  if (isNumber !== isOtherNumber) return isNumber ? 1 : -1;
  if (!isNumber) return a < b ? -1 : 1;
  const difference = BigInt(a) - BigInt(b);
  return difference === 0n ? 0 : difference < 0n ? -1 : 1;
}
