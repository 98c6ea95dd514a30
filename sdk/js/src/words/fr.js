export default {
  "headline": {
    "confirmed": "Votre commande est confirmée",
    "preparing": "Votre commande est en préparation",
    "ready": "Votre commande est prête",
    "picked_up": "Votre commande est en route",
    "delivered": "Livrée. Bon appétit !",
    "cancelled": "Votre commande a été annulée",
    "unknown": "Votre commande est en cours"
  },
  "step": {
    "confirmed": "Confirmée",
    "preparing": "En préparation",
    "ready": "Prête",
    "picked_up": "En route",
    "delivered": "Livrée",
    "cancelled": "Annulée"
  },
  "state": {
    "done": "Terminé",
    "current": "En cours",
    "next": "À venir",
    "skipped": "Étape sautée"
  },
  "eta": {
    "expected": "Arrivée prévue",
    "due": "Arrivée prévue",
    "overdue": "Dernière estimation",
    "arrived": "Livrée à",
    "planned": "Prévu initialement :"
  },
  "notice": {
    "cancelled_restaurant": "Le restaurant a annulé cette commande.",
    "cancelled_customer": "La commande a été annulée à la demande du client.",
    "cancelled_courier": "Le livreur a annulé la livraison.",
    "cancelled_other": "La commande ne sera pas livrée.",
    "was_picked_up": "La commande avait déjà quitté le restaurant.",
    "contact": "Pour toute question, veuillez contacter le restaurant.",
    "reason": "Motif : {reason}",
    "undone": "Correction : « {undone} » a été indiqué par erreur. Votre commande est de nouveau à l’étape « {to} ».",
    "restored": "L’annulation a été retirée. Votre commande suit son cours.",
    "courier_replaced": "Un autre livreur a pris en charge votre commande.",
    "late": "Votre commande arrivera plus tard que prévu.",
    "due": "Votre commande devrait arriver d’un instant à l’autre.",
    "overdue": "Votre commande prend plus de temps que prévu. Il n’y a pas encore de nouvelle estimation.",
    "delivered_late": "Votre commande est arrivée plus tard que prévu."
  },
  "connection": {
    "connecting": "Connexion…",
    "live": "Toujours à jour",
    "reconnecting": "Connexion perdue. Nouvel essai…",
    "offline": "Vous êtes hors ligne",
    "ended": "Cette commande est terminée. Il n’y aura plus de mise à jour.",
    "back": "La connexion est rétablie.",
    "checked": "Dernière vérification {ago}"
  },
  "updated": {
    "ago": "Modifié {ago}",
    "now": "Modifié à l’instant"
  },
  "problem": {
    "gone": "Ce lien n’est plus valable",
    "unknown": "Cette commande est introuvable"
  }
};
