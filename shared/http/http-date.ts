/**
 * HTTP dates (RFC 9110 section 5.6.7): whole seconds since 1970, written in one form and read in three.
 */

const months = ['Jan', 'Feb', 'Mar', 'Apr', 'May', 'Jun', 'Jul', 'Aug', 'Sep', 'Oct', 'Nov', 'Dec']
const time = '(\\d{2}):(\\d{2}):(\\d{2})'
const month = `(${months.join('|')})`
const imfFixdate = new RegExp(`^(?:Mon|Tue|Wed|Thu|Fri|Sat|Sun), (\\d{2}) ${month} (\\d{4}) ${time} GMT$`)
const rfc850 = new RegExp(`^(?:Mon|Tues|Wednes|Thurs|Fri|Satur|Sun)day, (\\d{2})-${month}-(\\d{2}) ${time} GMT$`)
const asctime = new RegExp(`^(?:Mon|Tue|Wed|Thu|Fri|Sat|Sun) ${month} ([ \\d]\\d) ${time} (\\d{4})$`)

/** The years 0 to 9999, all that an HTTP date can say. */
const secondsMin = -62_167_219_200
const secondsMax = 253_402_300_799

/** The date in its one preferred form, or undefined when its year has not four digits. */
export function formatHttpDate(seconds: number): string | undefined {
  return seconds >= secondsMin && seconds <= secondsMax ? new Date(seconds * 1000).toUTCString() : undefined
}

/** Seconds since 1970, or undefined for what is no HTTP date. `nowSeconds` settles the century of the two-digit years. */
export function parseHttpDate(text: string, nowSeconds: number): number | undefined {
  const imf = imfFixdate.exec(text)
  if (imf !== null) return secondsOf(Number(imf[3]), imf[2]!, Number(imf[1]), imf.slice(4))
  const asc = asctime.exec(text)
  if (asc !== null) return secondsOf(Number(asc[6]), asc[1]!, Number(asc[2]), asc.slice(3, 6))
  const old = rfc850.exec(text)
  if (old === null) return undefined
  return secondsOf(fullYear(Number(old[3]), nowSeconds), old[2]!, Number(old[1]), old.slice(4))
}

/** A year that seems more than 50 years ahead is the past one with the same digits. */
function fullYear(twoDigits: number, nowSeconds: number): number {
  const thisYear = new Date(nowSeconds * 1000).getUTCFullYear()
  const year = thisYear - (thisYear % 100) + twoDigits
  return year > thisYear + 50 ? year - 100 : year
}

function secondsOf(year: number, monthName: string, day: number, clockParts: readonly string[]): number | undefined {
  const [hour = NaN, minute = NaN, second = NaN] = clockParts.map(Number)
  const monthIndex = months.indexOf(monthName)
  const date = new Date(0)
  date.setUTCFullYear(year, monthIndex, day)
  const isDay = day >= 1 && date.getUTCMonth() === monthIndex
  // 60 is a leap second; it counts as the first second of the next minute.
  if (!isDay || hour > 23 || minute > 59 || second > 60) return undefined
  return date.getTime() / 1000 + hour * 3600 + minute * 60 + second
}
