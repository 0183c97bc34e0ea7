//! The currencies of ISO 4217.

/// List one of ISO 4217 as published on 2026-01-01 (six-group.com), sorted: each
/// code and its digits after the point. Codes without such digits are no money that
/// one pays with (metals, bond units, `XTS` for tests, `XXX` for none): left out.
const LIST: &str = "\
    AED2 AFN2 ALL2 AMD2 AOA2 ARS2 AUD2 AWG2 AZN2 BAM2 BBD2 BDT2 BHD3 BIF0 \
    BMD2 BND2 BOB2 BOV2 BRL2 BSD2 BTN2 BWP2 BYN2 BZD2 CAD2 CDF2 CHE2 CHF2 \
    CHW2 CLF4 CLP0 CNY2 COP2 COU2 CRC2 CUP2 CVE2 CZK2 DJF0 DKK2 DOP2 DZD2 \
    EGP2 ERN2 ETB2 EUR2 FJD2 FKP2 GBP2 GEL2 GHS2 GIP2 GMD2 GNF0 GTQ2 GYD2 \
    HKD2 HNL2 HTG2 HUF2 IDR2 ILS2 INR2 IQD3 IRR2 ISK0 JMD2 JOD3 JPY0 KES2 \
    KGS2 KHR2 KMF0 KPW2 KRW0 KWD3 KYD2 KZT2 LAK2 LBP2 LKR2 LRD2 LSL2 LYD3 \
    MAD2 MDL2 MGA2 MKD2 MMK2 MNT2 MOP2 MRU2 MUR2 MVR2 MWK2 MXN2 MXV2 MYR2 \
    MZN2 NAD2 NGN2 NIO2 NOK2 NPR2 NZD2 OMR3 PAB2 PEN2 PGK2 PHP2 PKR2 PLN2 \
    PYG0 QAR2 RON2 RSD2 RUB2 RWF0 SAR2 SBD2 SCR2 SDG2 SEK2 SGD2 SHP2 SLE2 \
    SOS2 SRD2 SSP2 STN2 SVC2 SYP2 SZL2 THB2 TJS2 TMT2 TND3 TOP2 TRY2 TTD2 \
    TWD2 TZS2 UAH2 UGX0 USD2 USN2 UYI0 UYU2 UYW4 UZS2 VED2 VES2 VND0 VUV0 \
    WST2 XAD2 XAF0 XCD2 XCG2 XOF0 XPF0 YER2 ZAR2 ZMW2 ZWG2 ";

/// A code, its digit and a blank.
const ENTRY: usize = 5;

/// Digits after the point of a currency; `None` if ISO 4217 has no such currency.
pub fn exponent(code: &str) -> Option<u32> {
    let entries = LIST.as_bytes().as_chunks::<ENTRY>().0;
    let found = entries.binary_search_by(|entry| entry[..3].cmp(code.as_bytes()));
    found.ok().map(|at| u32::from(entries[at][3] - b'0'))
}

/// The codes of all currencies, sorted.
pub fn codes() -> impl Iterator<Item = &'static str> {
    LIST.split_ascii_whitespace().map(|entry| &entry[..3])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_code_of_the_list_is_found() {
        assert_eq!(codes().count(), 165);
        assert!(codes().is_sorted());
        for code in codes() {
            assert!(exponent(code).is_some_and(|digits| digits <= 4), "{code}");
        }
        let digits = ["EUR", "JPY", "BHD", "CLF", "AED", "ZWG"].map(exponent);
        assert_eq!(digits, [2, 0, 3, 4, 2, 2].map(Some));
    }

    #[test]
    fn what_is_no_money_is_not_found() {
        for code in [
            "", "EU", "EURO", "eur", "XXX", "XTS", "XAU", "XDR", "ZZZ", "AAA", "BGN", "R2 ", " EU",
        ] {
            assert_eq!(exponent(code), None, "{code:?}");
        }
    }
}
