export default {
  "order": "Commande {id}",
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
  "progress": "Étape {number} sur {of}",
  "eta": {
    "expected": "Arrivée prévue",
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
    "overdue": "Votre commande a du retard. Il n’y a pas encore de nouvelle estimation.",
    "delivered_late": "Votre commande est arrivée plus tard que prévu."
  },
  "connection": {
    "connecting": "Connexion…",
    "live": "En direct",
    "reconnecting": "Connexion perdue. Nouvel essai…",
    "offline": "Vous êtes hors ligne.",
    "ended": "Cette commande est terminée. Il n’y aura plus de mise à jour.",
    "back": "La connexion est rétablie.",
    "checked": "Dernière vérification {ago}."
  },
  "updated": {
    "ago": "Mis à jour {ago}",
    "now": "Mis à jour à l’instant",
    "at": "Mis à jour à {time}"
  },
  "share": {
    "button": "Partager",
    "copied": "Lien copié",
    "failed": "Le lien n’a pas pu être copié. Veuillez le copier depuis la barre d’adresse."
  },
  "summary": {
    "title": "Votre commande",
    "total": "Total"
  },
  "page": {
    "reload": "Recharger",
    "noscript": "Rechargez cette page pour voir l’état le plus récent.",
    "zone": "Fuseau horaire : {zone}"
  },
  "problem": {
    "gone": "Ce lien n’est plus valable",
    "gone_next": "Les liens de suivi expirent quelque temps après la livraison. Si vous attendez encore une commande, demandez un nouveau lien au restaurant.",
    "unknown": "Cette commande est introuvable",
    "unknown_next": "Vérifiez l’adresse ou ouvrez de nouveau le lien que vous avez reçu.",
    "foreign": "Vous ne pouvez pas consulter cette commande",
    "foreign_next": "Ouvrez le lien que vous avez reçu pour votre propre commande.",
    "token": "Cette page nécessite le lien que vous avez reçu",
    "token_next": "Ouvrez de nouveau le lien de votre confirmation de commande.",
    "busy": "Trop de requêtes",
    "busy_next": "Patientez un instant, puis rechargez cette page.",
    "down": "Impossible d’afficher votre commande pour le moment",
    "down_next": "Rechargez cette page dans une minute : l’état de la commande sera alors à jour.",
    "other": "Une erreur est survenue",
    "other_next": "Rechargez cette page. Si le problème persiste, contactez le restaurant."
  }
};
