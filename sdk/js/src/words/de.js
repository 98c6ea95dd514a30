export default {
  "headline": {
    "confirmed": "Ihre Bestellung ist bestätigt",
    "preparing": "Ihre Bestellung wird zubereitet",
    "ready": "Ihre Bestellung ist fertig",
    "picked_up": "Ihre Bestellung ist unterwegs",
    "delivered": "Geliefert. Guten Appetit!",
    "cancelled": "Ihre Bestellung wurde storniert",
    "unknown": "Ihre Bestellung ist in Arbeit"
  },
  "step": {
    "confirmed": "Bestätigt",
    "preparing": "In Zubereitung",
    "ready": "Fertig",
    "picked_up": "Unterwegs",
    "delivered": "Geliefert",
    "cancelled": "Storniert"
  },
  "state": {
    "done": "Erledigt",
    "current": "Jetzt",
    "next": "Steht noch aus",
    "skipped": "Übersprungen"
  },
  "eta": {
    "expected": "Voraussichtliche Ankunft",
    "due": "Voraussichtliche Ankunft",
    "overdue": "Letzte Schätzung",
    "arrived": "Geliefert um",
    "planned": "Ursprünglich geplant:"
  },
  "notice": {
    "cancelled_restaurant": "Das Restaurant hat diese Bestellung storniert.",
    "cancelled_customer": "Die Bestellung wurde auf Kundenwunsch storniert.",
    "cancelled_courier": "Die Lieferung wurde vom Kurier abgebrochen.",
    "cancelled_other": "Die Bestellung wird nicht geliefert.",
    "was_picked_up": "Die Bestellung hatte das Restaurant bereits verlassen.",
    "contact": "Bei Fragen wenden Sie sich bitte an das Restaurant.",
    "reason": "Grund: {reason}",
    "undone": "Korrektur: „{undone}“ wurde versehentlich gesetzt. Ihre Bestellung steht wieder auf „{to}“.",
    "restored": "Die Stornierung wurde zurückgenommen. Ihre Bestellung geht weiter.",
    "courier_replaced": "Ein anderer Kurier hat Ihre Bestellung übernommen.",
    "late": "Ihre Bestellung kommt später als geplant.",
    "due": "Ihre Bestellung sollte jeden Moment bei Ihnen sein.",
    "overdue": "Ihre Bestellung braucht länger als erwartet. Eine neue Schätzung gibt es noch nicht.",
    "delivered_late": "Ihre Bestellung kam später als geplant an."
  },
  "connection": {
    "connecting": "Verbindung wird hergestellt …",
    "live": "Immer aktuell",
    "reconnecting": "Verbindung unterbrochen. Neuer Versuch …",
    "offline": "Sie sind offline",
    "ended": "Diese Bestellung ist abgeschlossen. Es folgen keine weiteren Meldungen.",
    "back": "Die Verbindung steht wieder.",
    "checked": "Zuletzt geprüft {ago}"
  },
  "updated": {
    "ago": "Geändert {ago}",
    "now": "Gerade geändert"
  },
  "problem": {
    "gone": "Dieser Link ist nicht mehr gültig",
    "unknown": "Wir finden diese Bestellung nicht"
  }
};
