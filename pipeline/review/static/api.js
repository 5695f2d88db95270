// The page's only way to the program. Addresses hold ids and numbers, never a name or a path.

export class Refused extends Error {
  constructor(problem, mend) {
    super(problem);
    this.mend = mend;
  }
}

async function read(response) {
  if (response.ok) return response.json();
  const told = await response.json().catch(() => ({}));
  throw new Refused(told.problem || "The page was turned away", told.mend || "open the printed address again");
}

async function reach(address, options) {
  try {
    return await fetch(address, options);
  } catch {
    throw new Refused("The program does not answer", "start attune review again; every verdict so far is kept");
  }
}

const query = (values) => {
  const text = new URLSearchParams(values).toString();
  return text ? `?${text}` : "";
};

export const get = async (path, values = {}) => read(await reach(`/api/${path}${query(values)}`));
export const bytes = async (path) => new Uint8Array(await (await reach(`/api/${path}`)).arrayBuffer());
export const post = async (path, body, values = {}) =>
  read(
    await reach(`/api/${path}${query(values)}`, {
      method: "POST",
      headers: { "Content-Type": "application/json" },
      body: JSON.stringify(body),
    }),
  );

/** What this browser remembers: who looks, light or dark, how it plays. Never anything of a session's content. */
export const memory = {
  get(key, otherwise) {
    try {
      const value = localStorage.getItem(`attune.${key}`);
      return value === null ? otherwise : JSON.parse(value);
    } catch {
      return otherwise;
    }
  },
  set(key, value) {
    try {
      localStorage.setItem(`attune.${key}`, JSON.stringify(value));
    } catch { /* a browser without storage forgets, and works */ }
  },
};
