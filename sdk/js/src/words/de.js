export default {
  "order": "Bestellung {id}",
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
  "progress": "Schritt {number} von {of}",
  "eta": {
    "expected": "Voraussichtliche Ankunft",
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
    "overdue": "Ihre Bestellung kommt später als geplant. Eine neue Schätzung gibt es noch nicht.",
    "delivered_late": "Ihre Bestellung kam später als geplant an."
  },
  "connection": {
    "connecting": "Verbindung wird hergestellt …",
    "live": "Live",
    "reconnecting": "Verbindung unterbrochen. Neuer Versuch …",
    "offline": "Sie sind offline.",
    "ended": "Diese Bestellung ist abgeschlossen. Es folgen keine weiteren Meldungen.",
    "back": "Die Verbindung steht wieder.",
    "checked": "Zuletzt geprüft {ago}."
  },
  "updated": {
    "ago": "Aktualisiert {ago}",
    "now": "Gerade aktualisiert",
    "at": "Aktualisiert um {time}"
  },
  "share": {
    "button": "Teilen",
    "copied": "Link kopiert",
    "failed": "Der Link konnte nicht kopiert werden. Bitte kopieren Sie ihn aus der Adresszeile."
  },
  "summary": {
    "title": "Ihre Bestellung",
    "total": "Summe"
  },
  "page": {
    "reload": "Neu laden",
    "noscript": "Laden Sie diese Seite neu, um den aktuellen Stand zu sehen.",
    "zone": "Zeitzone: {zone}"
  },
  "problem": {
    "gone": "Dieser Link ist nicht mehr gültig",
    "gone_next": "Links zur Verfolgung enden einige Zeit nach der Lieferung. Wenn Sie noch auf eine Bestellung warten, bitten Sie das Restaurant um einen neuen Link.",
    "unknown": "Wir finden diese Bestellung nicht",
    "unknown_next": "Bitte prüfen Sie die Adresse oder öffnen Sie den zugesandten Link noch einmal.",
    "foreign": "Diese Bestellung können Sie nicht ansehen",
    "foreign_next": "Bitte öffnen Sie den Link, den Sie für Ihre eigene Bestellung erhalten haben.",
    "token": "Für diese Seite brauchen Sie den zugesandten Link",
    "token_next": "Bitte öffnen Sie den Link aus Ihrer Bestellbestätigung noch einmal.",
    "busy": "Zu viele Anfragen",
    "busy_next": "Bitte warten Sie einen Moment und laden Sie die Seite dann neu.",
    "down": "Wir können Ihre Bestellung gerade nicht anzeigen",
    "down_next": "Bitte laden Sie die Seite in einer Minute neu. Dann sehen Sie den aktuellen Stand.",
    "other": "Etwas ist schiefgegangen",
    "other_next": "Bitte laden Sie die Seite neu. Wenn das nicht hilft, wenden Sie sich bitte an das Restaurant."
  }
};
